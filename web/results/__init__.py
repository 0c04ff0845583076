"""The single results writer: everything a consumer answered becomes rows here, in batches, and nowhere else."""

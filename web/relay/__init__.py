"""The relay: takes due job rows and publishes their claims. One leader at a time."""

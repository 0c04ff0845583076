"""Pure functions on arrays, paths and plain values. Knows no queue, no HTTP server, no SQL; imports nothing of ours."""

"""Headless workers: a claim comes in, a domain function runs, an answer goes out. No SQL, no web, no open port."""

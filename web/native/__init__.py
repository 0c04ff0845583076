"""Running without Docker: our own Postgres, our own RabbitMQ node, and a supervisor over all processes."""

"""A small invented world, its archive of real video files, and the model that knows it."""

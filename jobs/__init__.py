"""The clock came in: the worker that pays what the world is owed, and the schedule of timed jobs. DESIGN §2, §3."""

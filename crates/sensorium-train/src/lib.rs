//! Objectives, the training loop, schedules and crash-safe checkpoints.

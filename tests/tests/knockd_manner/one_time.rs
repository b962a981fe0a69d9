//! one_time

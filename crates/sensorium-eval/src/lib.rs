//! Metrics equal to the reference libraries, and the run report.

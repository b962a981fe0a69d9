//! additions

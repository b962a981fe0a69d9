//! knocks

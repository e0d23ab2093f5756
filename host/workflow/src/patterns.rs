//! The patterns, one file each: what it consists of and how it goes on.

pub mod sequential;

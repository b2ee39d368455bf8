//! The first job: which endpoint serves the next request. A policy proposes; whoever is not eligible is passed by.

pub mod draw;
pub mod guide;
pub mod hash;
pub mod number;
pub mod policy;
pub mod queue;
pub mod structural;

//! The first job: which endpoint serves the next request. A policy proposes; whoever is not eligible is passed by.

pub mod affinity;
pub mod callable;
pub mod columns;
mod compile;
pub mod draw;
pub mod expression;
pub mod guide;
pub mod hash;
pub mod key;
pub mod number;
pub mod policy;
pub mod program;
pub mod queue;
pub mod report;
pub mod score;
mod scratch;
pub mod signals;
pub mod slot;
pub mod structural;
pub mod view;

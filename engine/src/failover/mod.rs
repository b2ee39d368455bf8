//! The second job: going on when a server fails. Who is passed over, and what is tried again.

pub mod attempts;
mod consult;
mod patience;
pub mod reflex;
pub mod rules;
pub mod serving;
pub mod tiers;
pub mod upload;

//! The second job: going on when a server fails. Who is passed over, and what is tried again.

mod admit;
mod attempt;
pub mod attempts;
pub mod budget;
mod consult;
pub mod evidence;
pub mod learned;
mod patience;
mod race;
pub mod reflex;
mod repeat;
pub mod rules;
pub mod serving;
pub mod tiers;
pub mod upload;

//! The second job: going on when a server fails. Who is passed over, and what is tried again.

mod admit;
mod attempt;
pub mod attempts;
pub mod budget;
mod consult;
pub mod events;
pub mod evidence;
mod heed;
pub mod learned;
pub mod observation;
mod patience;
mod race;
pub mod reflex;
mod repeat;
pub mod rules;
pub mod serving;
pub mod slow_start;
pub mod standing;
pub mod tiers;
pub mod upload;

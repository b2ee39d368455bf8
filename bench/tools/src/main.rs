//! Load generator and backend server of the Forebay benchmarks: one single-threaded binary, one mode per process.
//!
//! Every mode ends by itself or when standard input closes, and prints one JSON object per line to standard output.

mod alarm;
mod backend;
mod client;
mod draws;
mod histogram;
mod idle;
mod load;
mod meter;
mod options;
mod queue;
mod response;
mod slow;
mod socket;
mod sse;

use std::process::ExitCode;

/// Any failure that ends a run, already worded for the reader.
type Failure = Box<dyn std::error::Error>;

const USAGE: &str = "\
usage: bench-tools MODE [options]

  serve --listen ADDR                    backend: / (63 bytes), /size/N, /headers, /sse, POST sinks its body
  load  --to ADDR [--path /] [--connections 64] [--seconds 2] [--warm 0.5] [--requests N] [--rate R [--poisson SEED]]
        [--close] [--post BYTES] [--expect BYTES] [--header 'Name: value']... [--method M] [--host H] [--watch PID,PID]
  queue --speeds 1,1,0.25 [--mean SECONDS] [--seed N] [--failing N]   FIFO servers that sleep exponential times, a port each; the last
                                         N answer 500 at once; /counts tells the requests that each has taken
  slow  --to ADDR --path /size/N --connections N --bytes-per-second B --seconds S
  idle  --to ADDR --connections N        opens, sends one request on each, holds them until standard input closes
  sse   --to ADDR --connections N --seconds S   delay of each event from the server's stamp to here
";

fn main() -> ExitCode {
    let mut arguments = pico_args::Arguments::from_env();
    let outcome = match arguments.subcommand() {
        Ok(Some(mode)) => match mode.as_str() {
            "serve" => backend::run(arguments),
            "load" => load::run(arguments),
            "queue" => queue::run(arguments),
            "slow" => slow::run(arguments),
            "idle" => idle::run(arguments),
            "sse" => sse::run(arguments),
            other => Err(format!("unknown mode {other:?}\n\n{USAGE}").into()),
        },
        Ok(None) => Err(USAGE.into()),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-tools: {error}");
            ExitCode::from(2)
        }
    }
}

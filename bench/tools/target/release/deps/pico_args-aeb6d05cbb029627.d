/work/main/bench/tools/target/release/deps/pico_args-aeb6d05cbb029627.d: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/pico-args-0.5.0/src/lib.rs

/work/main/bench/tools/target/release/deps/libpico_args-aeb6d05cbb029627.rlib: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/pico-args-0.5.0/src/lib.rs

/work/main/bench/tools/target/release/deps/libpico_args-aeb6d05cbb029627.rmeta: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/pico-args-0.5.0/src/lib.rs

/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/pico-args-0.5.0/src/lib.rs:

/work/main/bench/tools/target/release/deps/bench_tools-270c209d140a7ccf.d: src/main.rs src/backend/mod.rs src/backend/connection.rs src/backend/request.rs src/client.rs src/histogram.rs src/idle.rs src/load.rs src/meter.rs src/options.rs src/response.rs src/slow.rs src/socket.rs src/sse.rs

/work/main/bench/tools/target/release/deps/bench_tools-270c209d140a7ccf: src/main.rs src/backend/mod.rs src/backend/connection.rs src/backend/request.rs src/client.rs src/histogram.rs src/idle.rs src/load.rs src/meter.rs src/options.rs src/response.rs src/slow.rs src/socket.rs src/sse.rs

src/main.rs:
src/backend/mod.rs:
src/backend/connection.rs:
src/backend/request.rs:
src/client.rs:
src/histogram.rs:
src/idle.rs:
src/load.rs:
src/meter.rs:
src/options.rs:
src/response.rs:
src/slow.rs:
src/socket.rs:
src/sse.rs:

//! What `/v1/authorize` costs over HTTP, as ratios to a floor server, and what a hot swap costs.
//!
//! `cargo bench --bench http -- [counting|speed|swap] [--policies 10,1000,10000] [--entities 100000] [--seconds 10]
//! [--rounds 3] [--rate N] [--bare]`. Needs `wrk`. Everything runs on loopback; the server is the real
//! binary, set up over its own API, asked with an administrator's access token, its metrics on.
#![expect(
    clippy::case_sensitive_file_extension_comparisons,
    clippy::cast_possible_wrap,
    clippy::unchecked_time_subtraction,
    clippy::unused_self,
    reason = "a bench may stop where its numbers do not fit"
)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench fails by panicking, prints what it measured"
)]

#[expect(dead_code, reason = "of the system tests, which use all of it")]
#[path = "../../tests/system/client.rs"]
mod client;
#[expect(dead_code, reason = "as above")]
#[path = "../../tests/system/server.rs"]
mod server;
#[path = "../../tests/support/mod.rs"]
mod support;
#[path = "../../tests/system/wait.rs"]
mod wait;

mod counting;
mod floor;
mod oracle;
mod realtime;
mod report;
mod speed;
mod stalls;
mod steady;
mod swap;
mod target;
mod world;
mod wrk;

/// What to measure.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for itself")]
struct Options {
    counting: bool,
    speed: bool,
    swap: bool,
    policies: Vec<u64>,
    entities: u64,
    seconds: u64,
    rounds: usize,
    /// Requests a second during swaps, instead of a share of what the server can do.
    rate: Option<f64>,
    /// Whether inline entities, batches and health are measured too.
    extras: bool,
}

fn main() {
    let mut words = std::env::args().skip(1).peekable();
    if words.peek().is_some_and(|word| word == floor::ROLE) {
        let answer = words.nth(1).expect("the answer of the floor");
        return floor::serve(answer.leak());
    }
    let options = options(words);
    println!("{options:?}");
    if options.counting {
        println!("\n## Metrics\n");
        counting::measure();
    }
    if options.speed {
        for policies in &options.policies {
            println!("\n## {policies} policies, {} entities\n", options.entities);
            speed::measure(*policies, &options);
        }
    }
    if options.swap {
        println!("\n## Hot swap\n");
        swap::measure(&options);
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Options {
    let mut options = Options {
        counting: false,
        speed: false,
        swap: false,
        policies: vec![10, 1_000, 10_000],
        entities: 100_000,
        seconds: 10,
        rounds: 3,
        rate: None,
        extras: true,
    };
    while let Some(word) = words.next() {
        let mut number = || words.next().expect("a value follows").parse::<u64>().expect("a whole number");
        match word.as_str() {
            "counting" => options.counting = true,
            "speed" => options.speed = true,
            "swap" => options.swap = true,
            "--entities" => options.entities = number().max(world::FEWEST_ENTITIES),
            "--seconds" => options.seconds = number(),
            "--rounds" => options.rounds = usize::try_from(number().max(1)).unwrap(),
            "--rate" => options.rate = Some(f64::from(u32::try_from(number()).unwrap())),
            "--bare" => options.extras = false,
            "--policies" => {
                let list = words.next().expect("numbers follow");
                options.policies = list.split(',').map(|word| word.parse().expect("a number")).collect();
            }
            "--bench" => {} // what cargo adds
            other => panic!("`{other}` is not understood"),
        }
    }
    if !options.counting && !options.speed && !options.swap {
        (options.counting, options.speed, options.swap) = (true, true, true);
    }
    options
}

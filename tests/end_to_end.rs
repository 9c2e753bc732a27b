//! The real binary, from outside: what it promises, and what happens when the world is unkind.

mod bad_input;
mod crash;
mod examples;
mod program;
mod scenarios;
mod served;
mod server;

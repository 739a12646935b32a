//! The build script of every function: a changed or new sample is compiled in, which cargo would not notice by itself.

fn main() {
    println!("cargo::rerun-if-changed=samples");
}

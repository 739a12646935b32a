//! The floor: a function of `lambda_http` alone, which does nothing. Nothing that uses the runtime can cost less.

use lambda_http::{Body, Error, Request, Response, run, service_fn};

fn main() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(service_fn(|_: Request| async {
        Ok::<_, Error>(Response::builder().status(202).body(Body::Empty)?)
    })))
}

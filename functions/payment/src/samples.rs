//! The samples that come with Letterbox.

use include_dir::{Dir, include_dir};
use letterbox_codec::platform::{Bilingual, Sample, samples_in};
use letterbox_signed::sender::Samples;

use crate::PaymentBranch;

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

impl Samples for PaymentBranch {
    const TITLE: &'static str = "Payment services";
    const RECEIVES: Bilingual<&'static str> = Bilingual {
        en: "webhooks of a payment service, with presets for the best-known ones",
        zh: "支付服务的 webhook；常见的服务有现成的预设",
    };
    const DEMO: &'static str = include_str!("../../../events/payment/credentials.json");
    const FIRST_SAMPLE: &'static str = "payment_success";

    fn samples() -> Vec<Sample> {
        samples_in(SAMPLES.files().map(|file| (file.path(), file.contents())))
    }
}

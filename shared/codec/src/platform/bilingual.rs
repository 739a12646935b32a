//! Texts in two languages.

/// The same in both languages.
#[derive(Clone, Copy, Debug)]
pub struct Bilingual<T> {
    /// English.
    pub en: T,
    /// Chinese.
    pub zh: T,
}

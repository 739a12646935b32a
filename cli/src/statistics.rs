//! Statistics of measurements.

/// The percentile of sorted values (nearest-rank method); `None` if there are no values.
pub fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let values = |count: u32| (1..=count).collect::<Vec<_>>();
        for (count, percent, expected) in
            [(1, 50, 1), (1, 99, 1), (2, 50, 1), (2, 90, 2), (100, 50, 50), (100, 99, 99), (1000, 99, 990)]
        {
            assert_eq!(percentile(&values(count), percent), Some(expected), "{count} {percent}");
        }
        assert_eq!(percentile::<u32>(&[], 50), None);
    }
}

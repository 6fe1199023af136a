//! Amounts as people read them.

/// `EUR 120,000` or `USD 1,249.50`; without a currency just the number, two decimals only when there are any.
pub fn format(amount: f64, currency: Option<&str>) -> String {
    let cents = (amount.abs() * 100.0).round();
    let whole = (cents / 100.0).trunc();
    let digits = format!("{whole:.0}");
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let rest = (cents % 100.0) as u32;
    let decimals = if rest == 0 { String::new() } else { format!(".{rest:02}") };
    let sign = if amount < 0.0 { "-" } else { "" };
    match currency {
        Some(currency) => format!("{currency} {sign}{grouped}{decimals}"),
        None => format!("{sign}{grouped}{decimals}"),
    }
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn amounts_are_grouped() {
        assert_eq!(format(120_000.0, Some("EUR")), "EUR 120,000");
        assert_eq!(format(1249.5, Some("USD")), "USD 1,249.50");
        assert_eq!(format(-18.0, None), "-18");
        assert_eq!(format(1_000_000.004, None), "1,000,000");
    }
}

//! Identity numbers and credit codes with valid check characters, in region codes that nobody has.

use time::Date;

/// The districts' region codes begin at this one.
///
/// Citizens' numbers and credit codes carry a region code of GB/T 2260, whose first digit is 1 to 8. Since December 2023
/// a 9 begins the numbers of foreign residents, followed by a province of GB/T 2260 and a country: `990…` would be the
/// province 90, which there is not. So no number made here can be a real person's or a real company's.
pub(super) const FIRST_REGION: u32 = 990_001;

/// An 18-digit citizen's number (GB 11643-1999): region, birth date, sequence, check digit.
/// The sequence, 1 to 999, is odd for men and even for women.
pub(super) fn national_id(region: u32, birth: Date, sequence: u32) -> String {
    let (year, month, day) = birth.to_calendar_date();
    let month = u8::from(month);
    let body = format!("{region:06}{year:04}{month:02}{day:02}{sequence:03}");
    let check = mod_11_2(&body);
    format!("{body}{check}")
}

/// The check character of ISO/IEC 7064 MOD 11-2 over decimal digits.
pub(super) fn mod_11_2(digits: &str) -> char {
    let product = digits
        .chars()
        .filter_map(|digit| digit.to_digit(10))
        .fold(0, |product, digit| (product + digit) * 2 % 11);
    char::from_digit((12 - product) % 11, 10).unwrap_or('X')
}

/// A unified social credit code (GB 32100-2015): registering authority and kind (`91` a company, `92` a self-employed
/// person's business), region, organisation code, check character.
pub(super) fn credit_code(kind: &str, region: u32, serial: u32) -> String {
    let organisation = organisation_code(serial);
    let body = format!("{kind}{region:06}{organisation}");
    let check = mod_31(&body);
    format!("{body}{check}")
}

/// An organisation code (GB 11714-1997): eight characters and a check character.
fn organisation_code(serial: u32) -> String {
    // Codes given out with the business licence since 2015 begin with MA.
    let body = format!("MA{serial:06}");
    let check = mod_11(&body);
    format!("{body}{check}")
}

/// The check character of GB 11714-1997 over eight characters, where letters count on from 10.
pub(super) fn mod_11(body: &str) -> char {
    const WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = body
        .chars()
        .zip(WEIGHTS)
        .map(|(c, weight)| c.to_digit(36).unwrap_or(0) * weight)
        .sum();
    char::from_digit((11 - sum % 11) % 11, 10).unwrap_or('X')
}

/// The check character of GB 32100-2015: weights are powers of 3, modulo 31.
pub(super) fn mod_31(body: &str) -> char {
    // Digits and capital letters without I, O, S, V and Z.
    const ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    let mut weight = 1;
    let mut sum = 0;
    for c in body.chars() {
        let value = ALPHABET.chars().position(|known| known == c).unwrap_or(0);
        sum += value * weight;
        weight = weight * 3 % 31;
    }
    ALPHABET.chars().nth((31 - sum % 31) % 31).unwrap_or('0')
}

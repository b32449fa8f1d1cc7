//! The made-up city: its districts and streets, which borrow the names of Guiyang's.

use super::codes::FIRST_REGION;
use super::random::Random;

pub(super) const PROVINCE: &str = "Guizhou";
pub(super) const CITY: &str = "Guiyang";

#[derive(Debug, Clone, Copy)]
pub(super) struct District {
    pub(super) name: &'static str,
    /// In place of a code of GB/T 2260.
    pub(super) region: u32,
    pub(super) postal_code: &'static str,
    streets: [&'static str; 5],
}

#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) district: District,
    pub(super) street: &'static str,
    /// House number, building and flat.
    pub(super) house: String,
}

#[rustfmt::skip]
const DISTRICTS: [District; 6] = [
    district("Nanming", 0, "550002", ["中华南路", "遵义路", "瑞金南路", "花果园大街", "油榨街"]),
    district("Yunyan", 1, "550001", ["中华北路", "北京路", "黔灵山路", "延安中路", "宝山北路"]),
    district("Huaxi", 2, "550025", ["花溪大道", "清溪路", "贵筑路", "珠江路", "甲秀南路"]),
    district("Wudang", 3, "550018", ["新添大道", "高新路", "航天大道", "育新路", "温泉路"]),
    district("Baiyun", 4, "550014", ["白云大道", "云峰大道", "同心东路", "七一路", "建设路"]),
    district("Guanshanhu", 5, "550081", ["观山西路", "林城东路", "长岭北路", "金阳南路", "兴筑东路"]),
];

/// The districts' shares of the people, in percent.
const SHARES: [u32; 6] = [24, 24, 20, 9, 10, 13];

const fn district(
    name: &'static str,
    number: u32,
    postal_code: &'static str,
    streets: [&'static str; 5],
) -> District {
    District {
        name,
        region: FIRST_REGION + number,
        postal_code,
        streets,
    }
}

pub(super) fn any_district(random: &mut Random) -> District {
    random.weighted(&DISTRICTS, &SHARES)
}

pub(super) fn any_address(random: &mut Random) -> Address {
    let district = any_district(random);
    let street = random.pick(&district.streets);
    let number = random.within(1..=399);
    let house = if random.chance(85) {
        let (building, unit) = (random.within(1..=24), random.within(1..=4));
        let (floor, flat) = (random.within(1..=32), random.within(1..=4));
        format!("{number}号{building}栋{unit}单元{floor}{flat:02}")
    } else {
        format!("{number}号")
    };
    Address {
        district,
        street,
        house,
    }
}

//! Chinese names, about as frequent as they are.

use super::random::Random;

/// The hundred most frequent surnames, after the Ministry of Public Security's yearly report on names, but that two
/// compound ones stand in for the last two.
#[rustfmt::skip]
const SURNAMES: [&str; 100] = [
    "王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周", "徐", "孙", "马", "朱", "胡", "郭", "何", "林", "高", "罗",
    "郑", "梁", "谢", "宋", "唐", "许", "邓", "韩", "冯", "曹", "彭", "曾", "肖", "田", "董", "潘", "袁", "蔡", "蒋", "余",
    "于", "杜", "叶", "程", "魏", "苏", "吕", "丁", "任", "卢", "姚", "沈", "钟", "姜", "崔", "谭", "陆", "范", "汪", "廖",
    "石", "金", "韦", "贾", "夏", "付", "方", "邹", "熊", "白", "孟", "秦", "邱", "侯", "江", "尹", "薛", "闫", "段", "雷",
    "龙", "黎", "史", "陶", "贺", "毛", "郝", "顾", "龚", "邵", "万", "覃", "武", "钱", "戴", "严", "莫", "孔", "欧阳", "上官",
];

/// How many bear them, in hundreds of thousands: near the report's figures for the first twenty, interpolated below.
#[rustfmt::skip]
const BEARERS: [u32; 100] = [
    1015, 1009, 954, 721, 633, 462, 337, 286, 278, 268, 202, 194, 191, 181, 165, 158, 148, 142, 141, 140,
    136, 123, 113, 108, 106, 104, 100, 98, 97, 95, 92, 90, 88, 86, 84, 82, 80, 78, 77, 75,
    74, 73, 71, 70, 69, 67, 66, 65, 63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52,
    51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 41, 40, 40, 39, 38, 38, 37, 36, 36,
    35, 35, 34, 34, 33, 33, 32, 32, 31, 31, 30, 30, 29, 29, 28, 28, 28, 27, 11, 1,
];

/// The characters of a generation's given names: those that come first, and those that come last.
struct Fashion {
    first: &'static str,
    last: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Gender {
    Male,
    Female,
}

impl Gender {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Male => Self::Female,
            Self::Female => Self::Male,
        }
    }
}

pub(super) fn surname(random: &mut Random) -> &'static str {
    random.weighted(&SURNAMES, &BEARERS)
}

/// A given name as parents chose it in that year.
pub(super) fn given_name(random: &mut Random, gender: Gender, birth_year: i32) -> String {
    let fashion = fashion(gender, birth_year);
    // Names of one character were most usual among those born in the decades before 2000.
    let single = if (1970..2000).contains(&birth_year) {
        30
    } else {
        8
    };
    let last = random.character(fashion.last);
    if random.chance(single) {
        return last.to_string();
    }
    let first = random.character(fashion.first);
    format!("{first}{last}")
}

fn fashion(gender: Gender, birth_year: i32) -> Fashion {
    let (first, last) = match (gender, birth_year) {
        (Gender::Male, ..1965) => (
            "建国志文海永德明玉春光金世家荣庆正宗万忠福学新成",
            "国华明军平生林荣祥德义民贵才富根山清发兴良元福顺",
        ),
        (Gender::Male, 1965..2000) => (
            "伟建志海晓文俊国永立少振宏学东向卫新洪家春云继世",
            "伟强军勇杰涛明超刚平辉鹏飞波斌林峰东宁龙生华庆忠",
        ),
        (Gender::Male, _) => (
            "子浩宇俊梓嘉思明天泽一皓博文睿奕雨佳晨铭志昊家瑞",
            "轩宇涵豪杰然泽辰睿航铭霖阳晨凯鑫翔源博诚恒毅帆乐",
        ),
        (Gender::Female, ..1965) => (
            "秀桂玉淑凤兰金素月春美惠翠芳香莲红爱云彩琼银文明",
            "英兰珍芳华珠梅香莲琴芬云霞凤荣花仙贞群清玲娥秀芝",
        ),
        (Gender::Female, 1965..2000) => (
            "丽晓海秀红春雪艳玉小燕文慧静美云霞立冬亚建志永爱",
            "芳娜敏静丽娟霞燕玲婷雪慧莹洁梅琳红萍华英艳云琴平",
        ),
        (Gender::Female, _) => (
            "子欣雨梓思诗佳语梦一可嘉若紫怡雅静艺婉熙心悦晨米",
            "涵怡萱彤琪雯琳妍萌婷悦瑶欣颖菲晗宁桐倩雪熙乐然诺",
        ),
    };
    Fashion { first, last }
}

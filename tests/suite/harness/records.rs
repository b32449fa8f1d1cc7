//! Tables and records of the sample's departments, of which a test can say what an answer must hold.

use std::path::Path;

use serde_json::Value;
use serde_json::json;
use sqlx::AssertSqlSafe;
use sqlx::Connection;
use sqlx::SqliteConnection;

const CIVIL: &str = "
CREATE TABLE residents (
    resident_id TEXT PRIMARY KEY, full_name TEXT NOT NULL, national_id TEXT NOT NULL, gender TEXT NOT NULL,
    birth_date TEXT NOT NULL, ethnic_group TEXT NOT NULL, status TEXT NOT NULL, address TEXT NOT NULL,
    household_id TEXT NOT NULL, former_names TEXT NOT NULL, phone TEXT, height_cm INTEGER,
    registered_at TEXT NOT NULL, attributes TEXT NOT NULL
);
CREATE TABLE households (
    household_id TEXT PRIMARY KEY, head_national_id TEXT, kind TEXT, address TEXT, members TEXT, established_at TEXT
);
CREATE TABLE marriages (
    certificate_number TEXT PRIMARY KEY, first_spouse TEXT, second_spouse TEXT, status TEXT, registered_at TEXT,
    ended_at TEXT, registry_office TEXT
);
CREATE TABLE adoptions (
    adoption_id TEXT PRIMARY KEY, child_national_id TEXT, parent_national_ids TEXT, registered_at TEXT
);";

const TAX: &str = "
CREATE TABLE taxpayers (
    tax_id TEXT PRIMARY KEY, identity_number TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
    credit_rating TEXT NOT NULL, assessed_income INTEGER NOT NULL, arrears INTEGER NOT NULL, effective_rate REAL,
    small_scale INTEGER, tax_office TEXT, registered_at TEXT, assessments TEXT
);
CREATE TABLE payments (
    payment_number INTEGER PRIMARY KEY, tax_id TEXT, identity_number TEXT, tax_kind TEXT, amount INTEGER, period TEXT,
    paid_at TEXT, bank TEXT, counter TEXT
);";

const MARKET: &str = "
CREATE TABLE businesses (
    credit_code TEXT PRIMARY KEY, name TEXT, kind TEXT, status TEXT, legal_representative TEXT,
    registered_capital INTEGER, industry_codes TEXT, address TEXT, district TEXT, founded_on TEXT, employees INTEGER,
    licences TEXT, shareholdings TEXT, updated_at TEXT
);
CREATE TABLE annual_reports (
    report_id TEXT PRIMARY KEY, credit_code TEXT, year INTEGER, submitted_at TEXT, figures TEXT, insured TEXT,
    web_sites TEXT
);";

/// Resident `n`, from 1: as `residents` says it in SQL.
pub(crate) struct Resident(pub(crate) u32);

impl Resident {
    pub(crate) fn key(&self) -> String {
        format!("R{:010}", self.0)
    }

    pub(crate) fn national_id(&self) -> String {
        format!("990101{:011}X", self.0)
    }

    pub(crate) fn name(&self) -> String {
        format!("王{}", self.0)
    }

    /// Whether the agreement between civil and tax lets tax see this one: active, and of the district Nanming.
    pub(crate) fn is_shared(&self) -> bool {
        !self.0.is_multiple_of(2) && !self.0.is_multiple_of(5)
    }

    /// What that agreement releases of it.
    pub(crate) fn released(&self) -> Value {
        json!({
            "resident_id": self.key(),
            "full_name": self.name(),
            "national_id": "990101************",
            "birth_date": (1950 + self.0 % 50).to_string(),
            "address": { "district": "Nanming" },
        })
    }

    /// All that the department holds of it.
    pub(crate) fn stored(&self) -> Value {
        let even = self.0.is_multiple_of(2);
        json!({
            "resident_id": self.key(),
            "full_name": self.name(),
            "national_id": self.national_id(),
            "gender": if even { "GENDER_FEMALE" } else { "GENDER_MALE" },
            "birth_date": format!("{}-03-{:02}", 1950 + self.0 % 50, 1 + self.0 % 28),
            "ethnic_group": "HA",
            "status": if self.0.is_multiple_of(5) { "STATUS_MOVED" } else { "STATUS_ACTIVE" },
            "address": { "district": if even { "Yunyan" } else { "Nanming" }, "postal_code": "550002" },
            "height_cm": 150 + self.0 % 40,
            "registered_at": "2020-01-01T00:00:00Z",
        })
    }

    /// Those of the first `residents` that the agreement shares, by key.
    pub(crate) fn shared(residents: u32) -> impl Iterator<Item = Self> {
        (1..=residents).map(Self).filter(Self::is_shared)
    }
}

/// Gives everybody a name of 4,096 letters.
pub(super) const BULK: &str = "UPDATE residents SET former_names = json_array(hex(zeroblob(2048)))";

/// Runs statements on a database, which is made if it is not there.
pub(crate) async fn run(file: &Path, sql: &str) {
    let url = format!("sqlite:{}?mode=rwc", file.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Makes a department's tables in a new file. Only residents have rows.
pub(crate) async fn fill(file: &Path, department: &str, residents: u32) {
    let sql = match department {
        "civil" => format!("{CIVIL}{}", insert(residents)),
        "tax" => TAX.to_owned(),
        _ => MARKET.to_owned(),
    };
    run(file, &sql).await;
}

fn insert(residents: u32) -> String {
    format!(
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {residents})
        INSERT INTO residents SELECT
            printf('R%010d', n), '王' || n, printf('990101%011dX', n), iif(n % 2, 'GENDER_MALE', 'GENDER_FEMALE'),
            printf('%04d-03-%02d', 1950 + n % 50, 1 + n % 28), 'HA', iif(n % 5, 'STATUS_ACTIVE', 'STATUS_MOVED'),
            json_object('province', 'Guizhou', 'city', 'Guiyang', 'district', iif(n % 2, 'Nanming', 'Yunyan'),
                'street', 'Zhonghua Road', 'house', 'No. ' || n, 'postalCode', '550002'),
            '', '[]', printf('139%08d', n), 150 + n % 40, '2020-01-01T00:00:00Z', '{{}}'
        FROM n;"
    )
}

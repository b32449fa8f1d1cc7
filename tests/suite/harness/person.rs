//! Somebody who uses the console.

use std::process::Command;

use landbridge::clock::Clock;
use serde_json::Value;
use totp_rs::Algorithm;
use totp_rs::TOTP;

use super::World;
use super::gateway::Gateway;
use super::gateway::Page;

const ROLES: [&str; 3] = ["viewer", "auditor", "administrator"];

/// Makes an account at a department's gateway for each role: its name, password and secret.
pub(crate) fn accounts(world: &World, department: &str) -> Value {
    let file = world.path(&format!("var/{department}/accounts.toml"));
    let file = file.to_str().unwrap();
    let made = ROLES.map(|role| {
        let name = format!("lin.{role}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_landbridge"));
        let made = command
            .args([
                "account",
                &name,
                "--role",
                role,
                "--accounts",
                file,
                "--json",
            ])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        (
            role.to_owned(),
            serde_json::from_slice(&made.stdout).unwrap(),
        )
    });
    Value::Object(made.into_iter().collect())
}

/// Somebody without a browser.
pub(crate) struct Person<'a> {
    gateway: &'a Gateway,
    pub(crate) origin: String,
    /// What the browser would show; empty before the sign-in.
    pub(crate) cookie: String,
}

impl<'a> Person<'a> {
    pub(crate) fn at(gateway: &'a Gateway, origin: String) -> Self {
        Self {
            gateway,
            origin,
            cookie: String::new(),
        }
    }

    pub(crate) async fn opens(&self, path: &str) -> Page {
        self.gateway.fetch(path, &[("Cookie", &self.cookie)]).await
    }

    /// With the code of now, or of so many steps later.
    pub(crate) async fn signs_in(&mut self, account: &Value, later: u64) -> Page {
        let form = credentials(account, later);
        self.shows(&form).await
    }

    /// Sends what the form of the sign-in has.
    pub(crate) async fn shows(&mut self, form: &str) -> Page {
        let page = self.posts("/console/sign-in", form).await;
        let cookies = page.cookies();
        if !cookies.is_empty() {
            self.cookie = cookies;
        }
        page
    }

    pub(crate) async fn posts(&self, path: &str, form: &str) -> Page {
        let headers = [("Cookie", self.cookie.as_str()), ("Origin", &self.origin)];
        self.gateway.post(path, &headers, form).await
    }
}

pub(crate) fn origin(world: &World, department: &str) -> String {
    format!("http://127.0.0.1:{}", world.ports(department).operators)
}

/// What the form of the sign-in has, with the code of now or of so many steps later.
pub(crate) fn credentials(account: &Value, later: u64) -> String {
    format!(
        "name={}&password={}&code={}",
        account["name"].as_str().unwrap(),
        account["password"].as_str().unwrap(),
        code(account["otpauth"].as_str().unwrap(), later)
    )
}

/// The code that an authenticator app shows for `otpauth://…?secret=…`, so many steps later.
fn code(uri: &str, later: u64) -> String {
    let (_, after) = uri.split_once("secret=").unwrap();
    let secret = after.split('&').next().unwrap().to_owned();
    let secret = totp_rs::Secret::Encoded(secret).to_bytes().unwrap();
    let totp = TOTP::new(Algorithm::SHA1, 6, 0, 30, secret).unwrap();
    let now = u64::try_from(Clock::System.now().seconds()).unwrap();
    totp.generate(now + 30 * later)
}

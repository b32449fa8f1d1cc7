//! The median of several rounds, and what they ran on.

use serde_json::Value;

/// Number by number, through documents of the same form.
pub(crate) fn median(documents: &[Value]) -> Value {
    match documents.first() {
        Some(Value::Object(first)) => {
            let part = |name: &str| Vec::from_iter(documents.iter().map(|d| d[name].clone()));
            let names = first.keys();
            names
                .map(|name| (name.clone(), median(&part(name))))
                .collect()
        }
        Some(Value::Array(first)) => (0..first.len())
            .map(|at| median(&Vec::from_iter(documents.iter().map(|d| d[at].clone()))))
            .collect(),
        Some(Value::Number(_)) => {
            let mut numbers: Vec<f64> = documents.iter().filter_map(Value::as_f64).collect();
            numbers.sort_by(f64::total_cmp);
            numbers.get(numbers.len() / 2).copied().into()
        }
        other => other.cloned().unwrap_or_default(),
    }
}

pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

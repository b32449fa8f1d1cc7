//! Guardrails: Cedar policies that can only forbid.

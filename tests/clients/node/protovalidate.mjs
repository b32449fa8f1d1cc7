// Judges encoded records by protovalidate, and prints one line of JSON for each: the broken rules, as `path rule`.
//
//     node protovalidate.mjs <file descriptor set> <full name of the message> < base64 records, a line each
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createValidator } from "@bufbuild/protovalidate";

const [descriptors, name] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const message = registry.getMessage(name);
const validator = createValidator({ registry });

for await (const line of createInterface({ input: process.stdin })) {
  const result = validator.validate(message, fromBinary(message, Buffer.from(line, "base64")));
  if (result.kind === "error") throw result.error;
  const broken = (result.violations ?? []).map((violation) => {
    const path = violation.field.map((step) =>
      step.kind === "field" || step.kind === "oneof" ? `.${step.name}` : "",
    );
    return `${path.join("").slice(1)} ${violation.ruleId}`;
  });
  console.log(JSON.stringify(broken.sort()));
}

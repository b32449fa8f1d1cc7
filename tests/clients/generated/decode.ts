// Prints the full name of a resident, by code that was generated from an exported package.
import { readFileSync } from "node:fs";
import { fromBinary } from "@bufbuild/protobuf";
import { type Resident, ResidentSchema } from "./gen/typescript/civil/v1/resident_pb.js";

const resident: Resident = fromBinary(ResidentSchema, readFileSync(process.argv[2]!));
console.log(resident.fullName);

// Command decode prints the full name of a resident, by code that was generated from an exported package.
package main

import (
	"fmt"
	"log"
	"os"

	"google.golang.org/protobuf/proto"

	civil "landbridge/gen/civil/v1"
)

func main() {
	record, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var resident civil.Resident
	if err := proto.Unmarshal(record, &resident); err != nil {
		log.Fatal(err)
	}
	fmt.Println(resident.GetFullName())
}

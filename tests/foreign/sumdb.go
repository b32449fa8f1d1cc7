// Reads a folder of tlog-tiles with the code that guards Go's downloads: golang.org/x/mod/sumdb.
//
// It opens the signed note, builds the tree anew from the entry bundles, and proves each entry, and each earlier tree, by it.
// Given a checkpoint that was kept from before, it demands that its tree is the beginning of this one.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) != 3 && len(os.Args) != 4 {
		fail("usage: sumdb FOLDER VKEY [KEPT CHECKPOINT]")
	}
	folder, vkey := os.Args[1], os.Args[2]
	verifier, err := note.NewVerifier(vkey)
	check(err)
	origin, size, root := open(read(folder, "checkpoint"), verifier)

	entries := readEntries(folder, size)
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var hashes []tlog.Hash
		for _, index := range indexes {
			hashes = append(hashes, stored[index])
		}
		return hashes, nil
	})
	roots := []tlog.Hash{{}}
	for i, entry := range entries {
		hashes, err := tlog.StoredHashes(int64(i), entry, reader)
		check(err)
		stored = append(stored, hashes...)
		root, err := tlog.TreeHash(int64(i)+1, reader)
		check(err)
		roots = append(roots, root)
	}
	if roots[size] != root {
		fail("the entries do not have the root that was signed")
	}
	for i, entry := range entries {
		n := int64(i)
		inclusion, err := tlog.ProveRecord(size, n, reader)
		check(err)
		check(tlog.CheckRecord(inclusion, size, root, n, tlog.RecordHash(entry)))
		consistency, err := tlog.ProveTree(size, n+1, reader)
		check(err)
		check(tlog.CheckTree(consistency, size, root, n+1, roots[n+1]))
	}
	if len(os.Args) == 4 {
		_, kept, keptRoot := open(read(os.Args[3], ""), verifier)
		if kept > size {
			fail("there are fewer entries than the kept checkpoint has")
		}
		consistency, err := tlog.ProveTree(size, kept, reader)
		check(err)
		if tlog.CheckTree(consistency, size, root, kept, keptRoot) != nil {
			fail("the tree of the kept checkpoint is not the beginning of this one")
		}
	}
	fmt.Printf("%d entries of %s\n", size, origin)
}

// open verifies a checkpoint, and gives its origin, size and root.
func open(signed []byte, verifier note.Verifier) (string, int64, tlog.Hash) {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	var size int64
	_, err = fmt.Sscan(lines[1], &size)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	return lines[0], size, root
}

// readEntries takes the bundles apart: each entry stands behind its length, a big-endian uint16.
func readEntries(folder string, size int64) [][]byte {
	var entries [][]byte
	for n := int64(0); n*256 < size; n++ {
		// As C2SP tlog-tiles has it: groups of three digits, all but the last behind an x.
		path := fmt.Sprintf("%03d", n%1000)
		for rest := n / 1000; rest > 0; rest /= 1000 {
			path = fmt.Sprintf("x%03d/%s", rest%1000, path)
		}
		if width := size - n*256; width < 256 {
			path += fmt.Sprintf(".p/%d", width)
		}
		bundle := read(folder, "tile/entries/"+path)
		for len(bundle) > 0 {
			length := int(bundle[0])<<8 | int(bundle[1])
			entries = append(entries, bundle[2:2+length])
			bundle = bundle[2+length:]
		}
	}
	return entries
}

func read(folder, name string) []byte {
	bytes, err := os.ReadFile(filepath.Join(folder, name))
	check(err)
	return bytes
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(told string) {
	fmt.Fprintln(os.Stderr, told)
	os.Exit(1)
}

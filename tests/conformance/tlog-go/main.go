// An independent reader of our logs: Go's own implementation of signed notes and transparency-log
// tiles (golang.org/x/mod/sumdb, Debian: golang-golang-x-mod-dev) opens the checkpoint, proves that
// entries are in it, and that every log of the folder continues the smaller ones.
//
//	tlog-go FOLDER     FOLDER/key.pub and FOLDER/<size>/{checkpoint,tile/...}, as tlog_make writes
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const leafBytes = 200

func check(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "tlog-go: %s: %v\n", what, err)
		os.Exit(1)
	}
}

func assert(holds bool, format string, values ...any) {
	if !holds {
		fmt.Fprintf(os.Stderr, "tlog-go: "+format+"\n", values...)
		os.Exit(1)
	}
}

// Reads tiles by the paths of C2SP tlog-tiles: those of Go's sumdb, with the height left out.
type tiles struct{ folder string }

func (t tiles) Height() int                     { return 8 }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func path(tile tlog.Tile) string                { return "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/") }
func (t tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range list {
		data, err := os.ReadFile(filepath.Join(t.folder, path(tile)))
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

type tree struct {
	folder string
	size   int64
	root   tlog.Hash
}

func open(folder string, verifier note.Verifier) tree {
	text, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	check(err, "checkpoint")
	opened, err := note.Open(text, note.VerifierList(verifier))
	check(err, folder)
	assert(len(opened.Sigs) == 1 && len(opened.UnverifiedSigs) == 1, "%s: signatures %d and %d",
		folder, len(opened.Sigs), len(opened.UnverifiedSigs))
	lines := strings.Split(opened.Text, "\n")
	assert(len(lines) >= 4 && lines[0] == verifier.Name(), "%s: origin %q", folder, lines[0])
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err, "size")
	root, err := base64.StdEncoding.DecodeString(lines[2])
	check(err, "root")
	out := tree{folder: folder, size: size}
	assert(copy(out.root[:], root) == 32, "root length")
	return out
}

func (t tree) reader() tlog.HashReader {
	// It checks every tile that it reads against the root.
	return tlog.TileHashReader(tlog.Tree{N: t.size, Hash: t.root}, tiles{t.folder})
}

func (t tree) entry(index int64) []byte {
	bundle := index / 256
	width := t.size - bundle*256
	if width > 256 {
		width = 256
	}
	name := path(tlog.Tile{H: 8, L: -1, N: bundle, W: int(width)})
	data, err := os.ReadFile(filepath.Join(t.folder, strings.Replace(name, "tile/data/", "tile/entries/", 1)))
	check(err, "bundle")
	assert(len(data) == int(width)*(2+leafBytes), "%s has %d bytes", name, len(data))
	at := int(index%256) * (2 + leafBytes)
	assert(binary.BigEndian.Uint16(data[at:]) == leafBytes, "entry %d length", index)
	return data[at+2 : at+2+leafBytes]
}

func main() {
	assert(len(os.Args) == 2, "usage: tlog-go FOLDER")
	folder := os.Args[1]
	key, err := os.ReadFile(filepath.Join(folder, "key.pub"))
	check(err, "key")
	verifier, err := note.NewVerifier(strings.TrimSpace(string(key)))
	check(err, "key")

	var trees []tree
	entries, err := os.ReadDir(folder)
	check(err, folder)
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err == nil {
			trees = append(trees, open(filepath.Join(folder, entry.Name()), verifier))
		}
	}
	assert(len(trees) > 1, "needs at least two logs")
	sort.Slice(trees, func(a, b int) bool { return trees[a].size < trees[b].size })

	proofs, consistencies := 0, 0
	for i, t := range trees {
		step := t.size/400 + 1
		for index := int64(0); index < t.size; index += step {
			proveEntry(t, index)
			proofs++
		}
		proveEntry(t, t.size-1)
		// A flipped bit is not in the log.
		wrong := append([]byte(nil), t.entry(0)...)
		wrong[7] ^= 1
		proof, err := tlog.ProveRecord(t.size, 0, t.reader())
		check(err, "prove")
		assert(tlog.CheckRecord(proof, t.size, t.root, 0, tlog.RecordHash(wrong)) != nil, "accepts a flipped bit")
		for _, older := range trees[:i] {
			proof, err := tlog.ProveTree(t.size, older.size, t.reader())
			check(err, "prove tree")
			check(tlog.CheckTree(proof, t.size, t.root, older.size, older.root), "consistency")
			rewritten := older.root
			rewritten[3] ^= 1
			assert(tlog.CheckTree(proof, t.size, t.root, older.size, rewritten) != nil, "accepts a rewritten history")
			consistencies++
		}
	}
	fmt.Printf("tlog-go: %d logs up to %d entries, %d inclusion and %d consistency proofs hold\n",
		len(trees), trees[len(trees)-1].size, proofs, consistencies)
}

func proveEntry(t tree, index int64) {
	entry := t.entry(index)
	// The field at offset 124 is what tlog_make wrote: the entry is the right one.
	assert(int64(binary.BigEndian.Uint32(entry[124:])) == index, "entry %d holds another", index)
	proof, err := tlog.ProveRecord(t.size, index, t.reader())
	check(err, "prove")
	check(tlog.CheckRecord(proof, t.size, t.root, index, tlog.RecordHash(entry)), fmt.Sprintf("entry %d of %d", index, t.size))
}

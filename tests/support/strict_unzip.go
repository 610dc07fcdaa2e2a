// Lists the members of a zip archive as Go's archive/zip reads them: size, CRC-32 and name of each.
// Reading a member to its end verifies its size and CRC-32.
package main

import (
	"archive/zip"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

func main() {
	archive, err := zip.OpenReader(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, member := range archive.File {
		content, err := member.Open()
		sum := crc32.NewIEEE()
		var size int64
		if err == nil {
			size, err = io.Copy(sum, content)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, member.Name, err)
			os.Exit(1)
		}
		fmt.Printf("%d %08x %v %s\n", size, sum.Sum32(), member.Mode(), member.Name)
	}
}

// Package fuse runs the spool on a file system whose fsync fails on demand, a
// loopback file system in user space. It is a module of its own, so that a FUSE
// library is not among the dependencies of the binary. Its tests need /dev/fuse
// and root, and are skipped without them; only fsync fails, reads and writes
// never do.
package fuse

import (
	"context"
	"os"
	"path/filepath"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
)

// faultSwitch is the name of the file beside the backing directory that makes
// fsync fail.
const faultSwitch = "broken"

// serveFaulty mounts the directory data of dir at mnt of dir, and returns when
// that is unmounted. While dir has a file named broken, every fsync returns
// EIO.
func serveFaulty(dir string) error {
	root := &fs.LoopbackRoot{Path: filepath.Join(dir, "data")}
	root.NewNode = func(r *fs.LoopbackRoot, _ *fs.Inode, _ string, _ *syscall.Stat_t) fs.InodeEmbedder {
		return &faultyNode{LoopbackNode: fs.LoopbackNode{RootData: r}, dir: dir}
	}
	root.RootNode = &faultyNode{LoopbackNode: fs.LoopbackNode{RootData: root}, dir: dir}
	o := &fs.Options{}
	o.DirectMount = true
	server, err := fs.Mount(filepath.Join(dir, "mnt"), root.RootNode, o)
	if err != nil {
		return err
	}
	if _, err := os.Stdout.WriteString("mounted\n"); err != nil {
		return err
	}
	server.Wait()
	return nil
}

// faultyNode is a file or directory of the loopback file system.
type faultyNode struct {
	fs.LoopbackNode
	dir string
}

// Fsync syncs a file or directory, or returns EIO while the fault switch is on.
func (n *faultyNode) Fsync(ctx context.Context, f fs.FileHandle, flags uint32) syscall.Errno {
	if _, err := os.Stat(filepath.Join(n.dir, faultSwitch)); err == nil {
		return syscall.EIO
	}
	if f, ok := f.(fs.FileFsyncer); ok {
		return f.Fsync(ctx, flags)
	}
	return fs.OK
}

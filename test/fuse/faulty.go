// Package fuse runs the spool on a file system whose fsync fails when told to.
// It is a module of its own, so that the binary's list of dependencies does
// not have to vouch for a FUSE library.
package fuse

import (
	"context"
	"os"
	"path/filepath"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
)

// broken is the file beside the backing directory that makes fsync fail.
const broken = "broken"

// serve mounts the directory data of dir at mnt of dir until that is unmounted.
// While dir has a file named broken, every fsync answers EIO.
func serve(dir string) error {
	root := &fs.LoopbackRoot{Path: filepath.Join(dir, "data")}
	root.NewNode = func(r *fs.LoopbackRoot, _ *fs.Inode, _ string, _ *syscall.Stat_t) fs.InodeEmbedder {
		return &node{LoopbackNode: fs.LoopbackNode{RootData: r}, dir: dir}
	}
	root.RootNode = &node{LoopbackNode: fs.LoopbackNode{RootData: root}, dir: dir}
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

type node struct {
	fs.LoopbackNode
	dir string
}

// Fsync answers for files and directories.
func (n *node) Fsync(ctx context.Context, f fs.FileHandle, flags uint32) syscall.Errno {
	if _, err := os.Stat(filepath.Join(n.dir, broken)); err == nil {
		return syscall.EIO
	}
	if f, ok := f.(fs.FileFsyncer); ok {
		return f.Fsync(ctx, flags)
	}
	return fs.OK
}

package sensor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"kerb/agent/cage"
	"kerb/agent/child"
	"kerb/agent/config"
	"kerb/agent/handover"
	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/agent/source"
	"kerb/drivers/camera"
)

// The end of a look at a camera, chosen by hand: enough pictures for a rate, or enough
// time.
const (
	lookPictures = 30
	lookTime     = 3 * time.Second
	maxBadLook   = 20 // pictures in a row that cannot be decoded
)

// RunLook is the process kerb look NAME, which looks at a camera for a few seconds
// within the walls of kerb sense, and writes the size and the number of its pictures
// to standard output as an ipc.Look. The pictures are overwritten as they come. The
// error is that of the reader.
func RunLook(ctx context.Context, c config.Camera, strict bool) error {
	conn, err := handover.NewConn(os.NewFile(handoverFD, "handover"))
	if err != nil {
		return err
	}
	secrets, err := source.ReadSecrets(c)
	if err != nil {
		return err
	}
	if _, err := child.RaiseWalls(cameraRole(c), strict, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	vault := new(cage.Vault)
	defer vault.Close()
	limits := source.Limits(policy.ClipPixels)
	limits.Memory = vault
	begun := time.Now()
	src, err := source.OpenCamera(ctx, source.CameraOpts{Camera: c, Limits: limits, Secrets: secrets, Poll: new(camera.PollState), Requester: conn})
	if err != nil {
		return err
	}
	defer src.Close()
	l, err := look(ctx, src, vault, begun, c.Polled())
	if err != nil {
		return err
	}
	return ipc.WriteRecord(os.Stdout, l)
}

// look reads pictures for a few seconds, of a polled camera one.
func look(ctx context.Context, src source.Pictures, vault *cage.Vault, begun time.Time, polled bool) (*ipc.Look, error) {
	w, h := src.Size()
	picture, err := vault.Bytes(w * h)
	if err != nil {
		return nil, err
	}
	l := &ipc.Look{Width: uint16(w), Height: uint16(h)}
	var first time.Time
	for bad := 0; l.Pictures < lookPictures; {
		_, err := src.ReadInto(ctx, picture)
		switch {
		case source.IsBadPicture(err) && bad < maxBadLook:
			l.Undecoded++
			bad++
			continue
		case errors.Is(err, camera.ErrUnchanged):
		case errors.Is(err, io.EOF) && l.Pictures == 0:
			return nil, errors.New("no picture came: it ends before one is whole")
		case err != nil && l.Pictures == 0:
			return nil, fmt.Errorf("first picture: %w", err)
		case err != nil:
			return l, nil // it delivered, and the rate is known
		}
		now := time.Now()
		if l.Pictures++; l.Pictures == 1 {
			first, l.First = now, now.Sub(begun)
		}
		if l.Took, bad = now.Sub(first), 0; polled || l.Took >= lookTime {
			break
		}
	}
	return l, nil
}

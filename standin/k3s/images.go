package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// pauseImage is the sandbox of every pod, made here from binDir/pause, so that pods need no registry.
const pauseImage = "docker.io/k3s-standin/pause:1"

// importImages loads the pause image and the archives found on the node into containerd. An archive that cannot be loaded is
// reported and passed over, as k3s does.
func importImages(ctx context.Context) error {
	pause, err := pauseArchive()
	if err != nil {
		return err
	}
	own := filepath.Join(agentDir, "pause.tar")
	if err := writeFile(own, pause, 0o644); err != nil {
		return err
	}
	archives := []string{own}
	for _, dir := range []string{"/usr/share/k3s-standin/images", filepath.Join(agentDir, "images")} {
		found, err := filepath.Glob(filepath.Join(dir, "*.tar*"))
		if err != nil {
			return err
		}
		archives = append(archives, found...)
	}
	for _, archive := range archives {
		out, err := exec.CommandContext(ctx, binDir+"/ctr", "--address", containerdSocket, "-n", "k8s.io",
			"images", "import", archive).CombinedOutput()
		warn("importing %s: %v %s", archive, err, bytes.TrimSpace(out))
	}
	return ctx.Err()
}

// pauseArchive returns an image of one layer with one file, in the archive form of "docker save".
func pauseArchive() ([]byte, error) {
	program, err := os.ReadFile(binDir + "/pause")
	if err != nil {
		return nil, err
	}
	layer, err := archive(entry{"pause", program})
	if err != nil {
		return nil, err
	}
	config, configErr := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": []string{"/pause"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer)}},
	})
	configName := digest(config) + ".json"
	manifest, manifestErr := json.Marshal([]any{map[string]any{
		"Config": configName, "RepoTags": []string{pauseImage}, "Layers": []string{"layer.tar"},
	}})
	if err := errors.Join(configErr, manifestErr); err != nil {
		return nil, err
	}
	return archive(entry{"layer.tar", layer}, entry{configName, config}, entry{"manifest.json", manifest})
}

type entry struct {
	name    string
	content []byte
}

func archive(entries ...entry) ([]byte, error) {
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: 0o755, Size: int64(len(e.content)), ModTime: time.Unix(0, 0)}
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := writer.Write(e.content); err != nil {
			return nil, err
		}
	}
	err := writer.Close()
	return buffer.Bytes(), err
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

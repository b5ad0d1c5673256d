// The part of a kubelet that clients reach through the API server: logs of containers and forwarded ports. It runs no
// pods: what a pod wrote is a file, and where a pod's port leads is a line of a file, both put there by the tests.
//
//	FOLDER/NAMESPACE_POD/CONTAINER.log       what the container wrote; followed until CONTAINER.ended exists
//	FOLDER/NAMESPACE_POD/ports.json          {"2746": "127.0.0.1:40123"}
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubelet/pkg/cri/streaming/portforward"
)

const (
	pollEvery      = 50 * time.Millisecond
	forwardIdle    = 4 * time.Hour
	streamCreation = 30 * time.Second
)

// What portforward.ServePortForward speaks over SPDY; the WebSocket protocols it knows by itself.
var spdyProtocols = []string{"portforward.k8s.io"}

type kubelet struct{ folder string }

func runKubelet(arguments []string) error {
	flags := flag.NewFlagSet("kubelet", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address")
	certificate := flags.String("cert", "", "certificate of the server")
	key := flags.String("key", "", "its key")
	authority := flags.String("client-ca", "", "who signs the API server's certificate")
	folder := flags.String("folder", "", "what the pods are")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	pem, err := os.ReadFile(*authority)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("no certificate in %s", *authority)
	}
	k := &kubelet{folder: *folder}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", k.logs)
	mux.HandleFunc("/portForward/{namespace}/{pod}", k.forward)
	mux.HandleFunc("/portForward/{namespace}/{pod}/{uid}", k.forward)
	server := &http.Server{
		Addr:    *listen,
		Handler: mux,
		// SPDY upgrades a connection of HTTP/1.1.
		TLSConfig: &tls.Config{
			ClientAuth: tls.RequireAndVerifyClientCert,
			ClientCAs:  pool,
			NextProtos: []string{"http/1.1"},
		},
	}
	return server.ListenAndServeTLS(*certificate, *key)
}

func (k *kubelet) of(namespace, pod string) string {
	return filepath.Join(k.folder, filepath.Base(namespace+"_"+pod))
}

func (k *kubelet) logs(w http.ResponseWriter, r *http.Request) {
	folder := k.of(r.PathValue("namespace"), r.PathValue("pod"))
	container := filepath.Base(r.PathValue("container"))
	file, err := os.Open(filepath.Join(folder, container+".log"))
	if err != nil {
		http.Error(w, fmt.Sprintf("container %q has no log", container), http.StatusNotFound)
		return
	}
	defer file.Close()
	query := r.URL.Query()
	if tail, err := strconv.Atoi(query.Get("tailLines")); err == nil {
		if err := seekTail(file, tail); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusOK)
	follow, _ := strconv.ParseBool(query.Get("follow"))
	flush, _ := w.(http.Flusher)
	for {
		_, missing := os.Stat(filepath.Join(folder, container+".ended")) // asked before reading: the last line is before the end
		if _, err := io.Copy(w, file); err != nil {
			return
		}
		flush.Flush()
		if !follow || missing == nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(pollEvery):
		}
	}
}

func seekTail(file *os.File, lines int) error {
	content, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	at := len(content)
	for ; lines > 0 && at > 0; lines-- {
		at = bytes.LastIndexByte(content[:at-1], '\n') + 1
	}
	_, err = file.Seek(int64(at), io.SeekStart)
	return err
}

func (k *kubelet) forward(w http.ResponseWriter, r *http.Request) {
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	name := k.of(r.PathValue("namespace"), r.PathValue("pod"))
	portforward.ServePortForward(w, r, k, name, types.UID(r.PathValue("uid")), options, forwardIdle, streamCreation, spdyProtocols)
}

// PortForward is asked by ServePortForward for each connection; name is the folder of the pod.
func (k *kubelet) PortForward(ctx context.Context, name string, _ types.UID, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	text, err := os.ReadFile(filepath.Join(name, "ports.json"))
	if err != nil {
		return fmt.Errorf("the pod is not running")
	}
	ports := map[string]string{}
	if err := json.Unmarshal(text, &ports); err != nil {
		return err
	}
	address, known := ports[strconv.Itoa(int(port))]
	if !known {
		return fmt.Errorf("nothing listens on port %d of the pod", port)
	}
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer connection.Close()
	there, back := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := io.Copy(connection, stream)
		connection.(*net.TCPConn).CloseWrite()
		there <- err
	}()
	go func() {
		_, err := io.Copy(stream, connection)
		back <- err
	}()
	// What the pod says ends the forwarding; what the client says may end before.
	select {
	case err := <-back:
		return err
	case err := <-there:
		if err != nil {
			return err
		}
		return <-back
	}
}

// Command trillian-memory serves Trillian's log over gRPC from memory: all that Rekor v1 needs of it, without a database.
package main

import (
	"context"
	"log"
	"net"
	"os"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/extension"
	trillianlog "github.com/google/trillian/log"
	"github.com/google/trillian/monitoring"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/server"
	"github.com/google/trillian/server/admin"
	"github.com/google/trillian/server/interceptor"
	"github.com/google/trillian/storage/memory"
	"github.com/google/trillian/util/clock"
	"google.golang.org/grpc"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: trillian-memory ADDRESS")
	}
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	trees := memory.NewTreeStorage()
	registry := extension.Registry{
		AdminStorage:  memory.NewAdminStorage(trees),
		LogStorage:    memory.NewLogStorage(trees, monitoring.InertMetricFactory{}),
		QuotaManager:  quota.Noop(),
		MetricFactory: monitoring.InertMetricFactory{},
	}
	// An entry waits for the next sequencing, so that comes often.
	sequencers := trillianlog.NewOperationManager(trillianlog.OperationInfo{
		Registry: registry, BatchSize: 50, NumWorkers: 2, RunInterval: 50 * time.Millisecond, TimeSource: clock.System,
	}, trillianlog.NewSequencerManager(registry, 0))
	go sequencers.OperationLoop(context.Background())
	service := grpc.NewServer(grpc.UnaryInterceptor(interceptor.ErrorWrapper))
	trillian.RegisterTrillianAdminServer(service, admin.New(registry, nil))
	trillian.RegisterTrillianLogServer(service, server.NewTrillianLogRPCServer(registry, clock.System))
	log.Fatal(service.Serve(listener))
}

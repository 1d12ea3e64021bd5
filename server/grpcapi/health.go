package grpcapi

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
)

// healthEvery is how often a watched health is looked at again.
const healthEvery = time.Second

// healthServer implements grpc.health.v1. The empty service name stands for the server: SERVING while clients get
// answers. AdminService is SERVING whenever it can be asked.
type healthServer struct {
	healthpb.UnimplementedHealthServer
	source StatusSource
}

// Check answers once; an unknown service is NOT_FOUND.
func (h *healthServer) Check(_ context.Context, in *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	now := h.of(in.GetService())
	if now == healthpb.HealthCheckResponse_SERVICE_UNKNOWN {
		return nil, status.Errorf(codes.NotFound, "unknown service %q", in.GetService())
	}
	return &healthpb.HealthCheckResponse{Status: now}, nil
}

// Watch sends the health at once and then whenever it is found changed, until the client leaves or the server stops:
// a graceful stop waits for open calls.
func (h *healthServer) Watch(in *healthpb.HealthCheckRequest, out grpc.ServerStreamingServer[healthpb.HealthCheckResponse]) error {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	sent := healthpb.HealthCheckResponse_UNKNOWN // never the answer of of
	for {
		if now := h.of(in.GetService()); now != sent {
			if err := out.Send(&healthpb.HealthCheckResponse{Status: now}); err != nil {
				return err // the stream is gone; grpc knows why
			}
			sent = now
		}
		if s := h.source(); s.State == StateStopping {
			return status.Error(codes.Unavailable, "the server is stopping")
		}
		select {
		case <-out.Context().Done():
			return status.FromContextError(out.Context().Err()).Err()
		case <-tick.C:
		}
	}
}

// List answers with the health of everything that has one.
func (h *healthServer) List(context.Context, *healthpb.HealthListRequest) (*healthpb.HealthListResponse, error) {
	all := map[string]*healthpb.HealthCheckResponse{}
	for _, name := range []string{"", paddockv1.AdminService_ServiceDesc.ServiceName} {
		all[name] = &healthpb.HealthCheckResponse{Status: h.of(name)}
	}
	return &healthpb.HealthListResponse{Statuses: all}, nil
}

// of is the health of one service at this moment.
func (h *healthServer) of(service string) healthpb.HealthCheckResponse_ServingStatus {
	switch service {
	case "":
		s := h.source()
		if s.Serving() {
			return healthpb.HealthCheckResponse_SERVING
		}
		return healthpb.HealthCheckResponse_NOT_SERVING
	case paddockv1.AdminService_ServiceDesc.ServiceName:
		return healthpb.HealthCheckResponse_SERVING
	default:
		return healthpb.HealthCheckResponse_SERVICE_UNKNOWN
	}
}

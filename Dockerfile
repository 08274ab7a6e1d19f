# The server in a small image that runs as nobody in particular.
#
#   docker build -t bailiwick .
#   docker run -p 127.0.0.1:8080:8080 -v bailiwick-data:/data bailiwick

FROM rust:1.95-bookworm AS builder
WORKDIR /build

# The dependencies, in a layer of their own: they change seldom.
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock build.rs ./
RUN mkdir src migrations policies \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs \
    && cargo build --release --locked \
    && rm -rf src migrations policies

COPY . .
# Newer than the placeholders, so that cargo builds the real files.
RUN find src build.rs -type f -exec touch {} + \
    && cargo build --release --locked --bin bailiwick

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 bailiwick \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin bailiwick \
    && install -d -o bailiwick -g bailiwick -m 0700 /data

COPY --from=builder /build/target/release/bailiwick /usr/local/bin/bailiwick
COPY policies /etc/bailiwick/policies
COPY LICENSE /usr/share/doc/bailiwick/LICENSE

# In a container every interface is the container's own; publish only the ports that are meant for others:
# 8080 for callers, 8081 for services inside the trusted network, 8082 for health checks.
ENV BAILIWICK__DATA__DIR=/data \
    BAILIWICK__SERVER__PUBLIC_ADDR=0.0.0.0:8080 \
    BAILIWICK__SERVER__INTERNAL_ADDR=0.0.0.0:8081 \
    BAILIWICK__SERVER__ADMIN_ADDR=0.0.0.0:8082 \
    BAILIWICK__POLICY__DIR=/etc/bailiwick/policies \
    BAILIWICK__POLICY__WATCH=false \
    BAILIWICK__LOG__FORMAT=json

USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080 8081 8082
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["bailiwick", "health"]
ENTRYPOINT ["bailiwick"]
CMD ["serve"]

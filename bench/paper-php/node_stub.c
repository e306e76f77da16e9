/* Stands for the work node of the paper: JSON-RPC over HTTP, one thread, epoll, keep-alive.
 * Every call, alone or in a batch, is answered with the same balance, so the node costs next to
 * nothing and the comparison favours the stack that is measured.
 * usage: node_stub PORT [delay_us]   (the delay is once for each HTTP request) */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#define BUF (1<<20)
struct c { int fd; size_t n; char *b; };
static char out[4<<20];
static size_t answer(const char *p, size_t n, char *o) {
  size_t w = 0; int batch = 0; const char *e = p + n, *q = p;
  while (q < e && (*q==' '||*q=='\n'||*q=='\r'||*q=='\t')) q++;
  if (q < e && *q == '[') { batch = 1; o[w++] = '['; }
  int first = 1;
  for (; q + 5 < e; q++) {
    if (memcmp(q, "\"id\":", 5)) continue;
    long id = strtol(q + 5, NULL, 10);
    if (!first) o[w++] = ',';
    first = 0;
    w += sprintf(o + w, "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":{\"balance\":1000000000000000}}", id);
    if (!batch) break;
  }
  if (batch) o[w++] = ']';
  return w;
}
int main(int ac, char **av) {
  int port = ac > 1 ? atoi(av[1]) : 18545, one = 1; long delay = ac > 2 ? atol(av[2]) : 0;
  int ls = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(ls, (void *)&a, sizeof a) || listen(ls, 4096)) { perror("bind"); return 1; }
  int ep = epoll_create1(0); struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL}, evs[256];
  epoll_ctl(ep, EPOLL_CTL_ADD, ls, &ev);
  for (;;) {
    int k = epoll_wait(ep, evs, 256, -1);
    for (int i = 0; i < k; i++) {
      struct c *c = evs[i].data.ptr;
      if (!c) {
        int fd;
        while ((fd = accept4(ls, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          c = malloc(sizeof *c); c->fd = fd; c->n = 0; c->b = malloc(BUF + 1);
          ev.events = EPOLLIN; ev.data.ptr = c; epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
        }
        continue;
      }
      ssize_t r = read(c->fd, c->b + c->n, BUF - c->n);
      if (r <= 0) { if (r < 0 && errno == EAGAIN) continue; close(c->fd); free(c->b); free(c); continue; }
      c->n += r; c->b[c->n] = 0;
      size_t w = 0; int closeit = 0;
      for (;;) {
        char *h = strstr(c->b, "\r\n\r\n"); if (!h) break;
        char *cl = strcasestr(c->b, "content-length:"); size_t len = 0;
        if (cl && cl < h) len = strtoul(cl + 15, NULL, 10);
        char *cn = strcasestr(c->b, "connection: close"); if (cn && cn < h) closeit = 1;
        size_t tot = (h + 4 - c->b) + len; if (c->n < tot) break;
        static char body[2<<20]; size_t bl = answer(h + 4, len, body);
        w += sprintf(out + w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n", bl, closeit ? "Connection: close\r\n" : "");
        memcpy(out + w, body, bl); w += bl;
        memmove(c->b, c->b + tot, c->n - tot); c->n -= tot; c->b[c->n] = 0;
        if (w > (2 << 20)) break;
      }
      if (w) { if (delay) usleep(delay); size_t o = 0; while (o < w) { ssize_t s = write(c->fd, out + o, w - o); if (s < 0) { if (errno == EAGAIN) continue; break; } o += s; } }
      if (closeit) { epoll_ctl(ep, EPOLL_CTL_DEL, c->fd, NULL); close(c->fd); free(c->b); free(c); }
    }
  }
}

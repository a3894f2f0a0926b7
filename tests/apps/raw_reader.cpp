// SPDX-License-Identifier: Apache-2.0
// Reads its terminal byte by byte without echo and appends what comes to a file (argv[1]); an empty file says it is ready.
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

int main(int argc, char** argv) {
    termios raw{};
    if (argc != 2 || tcgetattr(0, &raw) != 0) {
        return 2;
    }
    cfmakeraw(&raw);
    tcsetattr(0, TCSANOW, &raw);
    const int out = open(argv[1], O_CREAT | O_WRONLY | O_TRUNC | O_APPEND, 0600);
    char bytes[4096];
    while (out >= 0) {
        const ssize_t got = read(0, bytes, sizeof bytes);
        if (got <= 0 || write(out, bytes, static_cast<size_t>(got)) != got) {
            return 1;
        }
    }
    return 1;
}

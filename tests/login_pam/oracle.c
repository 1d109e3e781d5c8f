/* Asks the real libpam: one directory of service files per input line, its answers to `auth` and `account` out. */
#include <security/pam_appl.h>
#include <stdio.h>
#include <string.h>

static int refuse(int n, const struct pam_message **m, struct pam_response **r, void *p) {
    (void)n, (void)m, (void)r, (void)p;
    return PAM_CONV_ERR;
}

int main(void) {
    char dir[4096];
    const struct pam_conv conv = {refuse, NULL};
    while (fgets(dir, sizeof dir, stdin)) {
        dir[strcspn(dir, "\n")] = 0;
        pam_handle_t *handle = NULL;
        int started = pam_start_confdir("svc", "root", &conv, dir, &handle);
        if (started != PAM_SUCCESS) {
            printf("refused\n");
            continue;
        }
        int auth = pam_authenticate(handle, PAM_SILENT);
        int account = pam_acct_mgmt(handle, PAM_SILENT);
        printf("%d %d\n", auth, account);
        pam_end(handle, PAM_SUCCESS);
    }
    return 0;
}

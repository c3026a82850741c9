#!/bin/sh
# Gradient descent on a narrow bowl, in awk: any program that prints lines.
# Usage: descend.sh RATE SEED
echo "descending at rate $1"
awk -v rate="$1" -v seed="$2" 'BEGIN {
    srand(seed); x = 1 + rand(); y = 1 + rand()
    for (step = 0; step <= 2000; step++) {
        if (step % 20 == 0) {
            printf "step %d, error %.6g\n", step, x * x + 30 * y * y
            fflush() # or the reports would come all at once, at the end
            system("sleep 0.02") # stands for work
        }
        x -= rate * 2 * x; y -= rate * 60 * y
    }
}'

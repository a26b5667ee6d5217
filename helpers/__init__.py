"""The shared module of the course: a line a module, in the order of reading.

Copy these into your own project; the adapters need `schedules` beside them, and nothing else of ours:
schedules   every schedule, a pure function of the updates made; what a run used, compared with it
for_torch   PyTorch: `drive` moves learning rate and momentum, `watch` notes what was used
for_keras   Keras 3: optimizers whose learning rate and momentum really follow a schedule
plateau     the rule that reacts, ReduceOnPlateau
range_test  the LR range test around your own loop, which leaves no trace

What is trained, and how:
data        MNIST and CIFAR-10, or what stands in for them; text;  ``python -m helpers.data`` carries images about
pack        all of the course in one folder, for a room without a network
models      the same networks in both frameworks
recipe      augmentation, label smoothing, precision
training    `fit_torch`, `fit_keras`, and the `Run` that says what really happened
races       the fair race: every schedule at its own best rate, with intervals

What can be worked out and measured without a network:
theory      parabolas, the noise floor, the bound on the last iterate
loss_law    from a schedule to its loss curve: fit a law on a run or two, predict, recommend
curvature   how sharply the loss of a real network bends
statistics  means with their uncertainty

What a lesson shows:
plots       every figure
explorer    the schedule explorer, `explorer.html`: knobs, curves, code to take away
exercises   checks that answer
runtime     budget, device, Keras' backend
"""

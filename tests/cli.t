$ adtool eval tests/examples/tutorial.yaml
loss = 1
$ adtool eval tests/examples/tutorial.yaml --format json
{"outputs": {"loss": 1}}
$ adtool eval tests/examples/rosenbrock.yaml --at x='[1, 1, 1, 1]' --format csv
output,element,value
f,0,0
$ adtool grad tests/examples/tutorial.yaml
loss = 1
  d/dw = -4
  d/dx = -2
  d/dy = 2
$ adtool grad tests/examples/tutorial.yaml --format json
{"backend": "tape", "outputs": {"loss": {"value": 1, "gradient": {"w": -4, "x": -2, "y": 2}}}}
$ adtool grad tests/examples/tutorial.yaml --backend tape --trace
loss = 1
  d/dw = -4
  d/dx = -2
  d/dy = 2
node  expression  value  adjoint
w     input       1      -4
x     input       2      -2
y     input       3      2
l1    w*x         2      -2
l2    l1 - y      -1     -2
%5    2           2      -
l3    l2^2        1      1
$ adtool grad tests/examples/tutorial.yaml --backend dual --trace
loss = 1
  d/dw = -4
  d/dx = -2
  d/dy = 2
node  expression  value  d/dw  d/dx  d/dy
w     input       1      1     0     0
x     input       2      0     1     0
y     input       3      0     0     1
l1    w*x         2      2     1     0
l2    l1 - y      -1     2     1     -1
%5    2           2      0     0     0
l3    l2^2        1      -4    -2    2
$ printf 'adtool: 1\ninputs: {x: 2, y: {value: 3, diff: no}}\noutputs: {f: floor(x)*(y*y)}\n' >fixed.yaml; adtool grad fixed.yaml --trace | tail -n +3; adtool dot fixed.yaml --adjoints --wrt x | grep -c adjoint
note: fixed.yaml: node 2 (floor) stands on a kink of floor: it has no derivative there, and `adtool ops` says what is taken
node  expression  value  adjoint
x     input       2      0
y     input       3      -
%2    floor(x)    2      9
%3    y*y         9      -
%4    %2*%3       18     1
note: fixed.yaml: node 2 (floor) stands on a kink of floor: it has no derivative there, and `adtool ops` says what is taken
3
$ adtool check tests/examples/network.yaml | tail -n 2
  double keeps at least 15.4 digits; of derivatives 15.4 (worst 2.97 ulp) at d loss / d W1[0,1], condition 0.601
    loss: 15.9 digits of the value; 15.4 digits of the derivatives
$ adtool grad tests/examples/tutorial.yaml --backend mpfr --trace
loss = 1
  d/dw = -4
  d/dx = -2
  d/dy = 2
node  expression  value  adjoint
w     input       1      -4
x     input       2      -2
y     input       3      2
l1    w*x         2      -2
l2    l1 - y      -1     -2
%5    2           2      -
l3    l2^2        1      1
$ adtool grad tests/examples/tutorial.yaml --backend mpfr --mode forward --trace
loss = 1
  d/dw = -4
  d/dx = -2
  d/dy = 2
node  expression  value  d/dw  d/dx  d/dy
w     input       1      1     0     0
x     input       2      0     1     0
y     input       3      0     0     1
l1    w*x         2      2     1     0
l2    l1 - y      -1     2     1     -1
%5    2           2      0     0     0
l3    l2^2        1      -4    -2    2
$ adtool grad tests/examples/tutorial.yaml --wrt x --at w=0.5 --at y=1/3
loss = 0.44444444444444453
  d/dx = 0.6666666666666667
$ adtool grad tests/examples/network.yaml --wrt b1,b2 --format csv --digits 6
output,input,element,derivative
loss,b1,0,0.0211649
loss,b1,1,-0.0132126
loss,b1,2,0.0136324
loss,b1,3,-0.0221502
loss,b2,0,0.120267
loss,b2,1,-0.138323
$ adtool grad tests/examples/tutorial.yaml --format json --backend dual --wrt w,x
{"backend": "dual", "outputs": {"loss": {"value": 1, "gradient": {"w": -4, "x": -2}}}}
$ adtool grad tests/examples/constants.yaml --output exp --wrt tenth --backend mpfr --digits 50
exp = 1.1051709180756476248117078264902466682245471947375
  d/dtenth = 1.1051709180756476248117078264902466682245471947375
$ adtool eval tests/examples/constants.yaml --backend mpfr --digits 50
exp = 1.1051709180756476248117078264902466682245471947375
log = -1.0986122886681096913952452369225257046474905578227
sin = 0.099833416646828152306814198410622026989915388017982
one = 1
$ adtool eval tests/examples/constants.yaml --output one --backend mpfr --precision 2
one = 1
$ adtool grad tests/examples/rosenbrock.yaml --format npy -o g.npy && od -A d -t x1 -N 10 g.npy && adtool eval tests/examples/rosenbrock.yaml --at x=@g.npy --digits 6
0000000 93 4e 55 4d 50 59 01 00 76 00
0000010
f = 5.81184e+13
$ printf 'x: [1, 1, 1, 1]\n' >p.yaml && adtool eval tests/examples/rosenbrock.yaml --point p.yaml
f = 0
$ printf '{"x": [0, 0, 0, 0]}' >p.json && adtool eval tests/examples/rosenbrock.yaml --point p.json
f = 3
$ cat tests/examples/tutorial.yaml | adtool grad -
loss = 1
  d/dw = -4
  d/dx = -2
  d/dy = 2
$ printf 'adtool: 1\ninputs: {x: [1, 2, 3], s: 0.5}\noutputs: {y: x^2*s, t: sum(x)*s}\n' >j.yaml && adtool jac j.yaml
d y/d x = [[1, 0, 0],
           [0, 2, 0],
           [0, 0, 3]]
d y/d s = [[1],
           [4],
           [9]]
d t/d x = [[0.5, 0.5, 0.5]]
d t/d s = [[6]]
$ adtool jac j.yaml --format json
{"outputs": {"y": {"x": [[1, 0, 0], [0, 2, 0], [0, 0, 3]], "s": [[1], [4], [9]]}, "t": {"x": [[0.5, 0.5, 0.5]], "s": [[6]]}}}
$ adtool jac j.yaml --sparse
d y[0]/d x[0] = 1
d y[0]/d s = 1
d y[1]/d x[1] = 2
d y[1]/d s = 4
d y[2]/d x[2] = 3
d y[2]/d s = 9
d t/d x[0] = 0.5
d t/d x[1] = 0.5
d t/d x[2] = 0.5
d t/d s = 6
$ adtool jac j.yaml --sparse --format json
{"shape": [4, 4], "row": [0, 0, 1, 1, 2, 2, 3, 3, 3, 3], "col": [0, 3, 1, 3, 2, 3, 0, 1, 2, 3], "value": [1, 1, 2, 4, 3, 9, 0.5, 0.5, 0.5, 6]}
$ adtool jac j.yaml --sparse --format mtx --wrt x
%%MatrixMarket matrix coordinate real general
4 3 6
1 1 1
2 2 2
3 3 3
4 1 0.5
4 2 0.5
4 3 0.5
$ adtool jac j.yaml --wrt s --output 'y[-1]' --format csv
output,output_element,input,input_element,derivative
y[2],0,s,0,9
$ adtool jac j.yaml --backend mpfr --mode forward --digits 20 --at s=1/3 --output t
d t/d x = [[0.33333333333333333333, 0.33333333333333333333, 0.33333333333333333333]]
d t/d s = [[6]]
$ adtool jac j.yaml --format npy -o J.npy && adtool jac j.yaml --mode reverse --format npy -o K.npy && cmp J.npy K.npy && od -A d -t x1 -N 10 J.npy
0000000 93 4e 55 4d 50 59 01 00 76 00
0000010
$ printf 'adtool: 1\ninputs: {x: {shape: [20000], fill: 1}}\nnodes: {s: sum(x)}\noutputs: {y: sin(x)*s}\n' >dense.yaml
$ adtool jac dense.yaml --max-memory 1000
adtool: error: this Jacobian needs 3052 MiB of memory, above the limit of 1000 MiB (--max-memory)
? 6
$ adtool jac dense.yaml --sparse --max-memory 2000
adtool: error: 3.3e+08 entries that can be other than zero are too many for the limit of 2000 MiB (--max-memory)
? 6
$ adtool hess dense.yaml --output y --seed 1 --max-memory 1000
adtool: error: a Hessian's product of 20000 x 20000 numbers needs more memory than the limit of 1000 MiB (--max-memory)
? 6
$ printf 'adtool: 1\ninputs: {x: {shape: [67108864], fill: 1}}\noutputs: {f: sum(x), g: 2*x}\n' >fill.yaml
$ adtool eval fill.yaml --max-memory 700
adtool: error: this graph needs more than 768 MiB of memory, above the limit of 700 MiB (--max-memory)
? 6
$ adtool eval fill.yaml --output f --max-memory 100
adtool: error: this graph needs more than 512 MiB of memory, above the limit of 100 MiB (--max-memory)
? 6
$ adtool jac fill.yaml --output f --max-memory 100
adtool: error: this graph needs more than 512 MiB of memory, above the limit of 100 MiB (--max-memory)
? 6
$ adtool grad fill.yaml --output g --seed 1 --max-memory 100
adtool: error: this needs 2048 MiB of memory, above the limit of 100 MiB (--max-memory)
? 6
$ adtool hess fill.yaml --output 'g[0]' --max-memory 100
adtool: error: this needs 5120 MiB of memory, above the limit of 100 MiB (--max-memory)
? 6
$ adtool check fill.yaml --max-memory 100
adtool: error: this graph needs more than 512 MiB of memory, above the limit of 100 MiB (--max-memory)
? 6
$ printf 'adtool: 1\ninputs: {x: {shape: [30000000], fill: 1}}\noutputs: {f: sum(x)}\n' | adtool convert - --to nl --max-memory 100
adtool: error: as scalars the graph needs more than the limit of 100 MiB of memory (--max-memory)
? 6
$ printf 'x\n1\n' >fill.csv && adtool batch fill.yaml --points fill.csv --max-memory 100
adtool: error: a point needs 512 MiB of memory, above the limit of 100 MiB (--max-memory)
? 6
$ adtool info fill.yaml --max-memory 1 | head -n 1
nodes       4 (1 inputs, 1 constants, 2 operations), depth 1
$ adtool jac j.yaml --sparse --format npz -o J.npz && od -A d -t x1 -N 4 J.npz
0000000 50 4b 03 04
0000004
$ adtool jac j.yaml --format mtx
adtool: --format mtx holds a sparse matrix: --sparse
? 2
$ adtool jac j.yaml --sparse --format npy
adtool: --format npy holds a dense matrix; for --sparse there are npz and mtx
? 2
$ adtool grad j.yaml --format npz
adtool: --format of grad is text, json, csv or npy, not 'npz'
? 2
$ adtool jac j.yaml --backend dual --mode reverse
adtool: the backend 'dual' has no reverse mode
? 2
$ adtool jac j.yaml --output q
adtool: j.yaml has no output 'q'; `adtool info` lists them
? 2
$ adtool jac j.yaml --at x=
adtool: --at x= has no value after the =
? 2
$ adtool jac tests/examples/tutorial.yaml --format json
{"outputs": {"loss": {"w": [[-4]], "x": [[-2]], "y": [[2]]}}}
$ adtool jvp j.yaml --direction x=1 --direction s=0.1
y = [1.1, 2.4, 3.9]
t = 2.1
$ adtool jvp j.yaml --direction 'x=[0, 1, 0]' --format json
{"jvp": {"y": [0, 2, 0], "t": 0.5}}
$ adtool jvp j.yaml --direction x=1/3 --backend mpfr --digits 30 --output 'y[1]'
y[1] = 0.666666666666666666666666666667
$ adtool jvp j.yaml --direction x=1 --format csv
output,element,derivative
y,0,1
y,1,2
y,2,3
t,0,1.5
$ adtool jvp j.yaml
adtool: a product wants a vector: --direction NAME=VALUE
? 2
$ adtool jvp j.yaml --direction z=1
adtool: j.yaml has no input 'z'; `adtool info` lists them
? 2
$ adtool jvp j.yaml --direction x='[1, 2]'
--direction x:1:1: error: the value for 'x' has 2 numbers, but its shape [3] has 3 elements
  [1, 2]
  ^
? 2
$ adtool jvp j.yaml --direction x=1 --backend tape
adtool: the backend 'tape' has no forward mode
? 2
$ adtool vjp j.yaml --weight 'y=[1, 2, 3]'
x = [1, 4, 9]
s = 36
$ adtool vjp j.yaml --weight y=1 --weight t=2 --wrt s --format json
{"vjp": {"s": 26}}
$ adtool vjp j.yaml --weight y=@J.npy
adtool: error: the array in 'J.npy' has shape [4, 4], but 'y' has [3]
? 3
$ adtool vjp j.yaml --weight Y=1
adtool: j.yaml has no output 'Y' (did you mean 'y'?)
? 2
$ printf 'adtool: 1\ninputs: {x: [1, 2, 3]}\noutputs: {y: x^2}\n' >v.yaml && adtool grad v.yaml
adtool: the output 'y' has shape [3]; ask for one element (--output 'y[0]') or for a weighted sum (--output y --seed 1)
? 2
$ printf 'adtool: 1\ninputs: {x: {shape: [2, 0], value: [[], []]}, y: 1}\noutputs: {em: x, s: sum(x)*y, "a,b": "stack(y, y)"}\n' >empty.yaml
$ adtool grad empty.yaml --output em
adtool: the output 'em' has shape [2, 0]; it has no element to differentiate: choose another one with --output
? 2
$ adtool grad empty.yaml --output em --seed 1
adtool: the output 'em' has shape [2, 0]; it has no element to differentiate: choose another one with --output
? 2
$ adtool hess empty.yaml --output em --seed '[[], []]'
adtool: the output 'em' has shape [2, 0]; it has no element to differentiate: choose another one with --output
? 2
$ adtool diff empty.yaml --output em --seed 1 --to yaml
adtool: the output 'em' has shape [2, 0]; it has no element to differentiate: choose another one with --output
? 2
$ adtool grad empty.yaml --output 'a,b'
adtool: the output 'a,b' has shape [2]; ask for one element (--output '`a,b`[0]') or for a weighted sum (--output '`a,b`' --seed 1)
? 2
$ adtool check empty.yaml --output em
empty.yaml: pass: there is nothing to differentiate
  0 derivatives, at up to 192 bits
  double keeps every digit
$ printf 'adtool: 1\ninputs: {α: [[1, 2], [3, 4]], "日本": 2}\noutputs: {ééé: α*日本, abc: α}\n' >utf8.yaml
$ adtool eval utf8.yaml
ééé = [[2, 4],
       [6, 8]]
abc = [[1, 2],
       [3, 4]]
$ adtool grad utf8.yaml --output ééé --seed 1 --trace
ééé = [[2, 4],
       [6, 8]]
  d/dα  = [[2, 2],
           [2, 2]]
  d/d日本 = 10
node  expression  value             adjoint
α     input       [[1, 2], [3, 4]]  [[2, 2], [2, 2]]
日本    input       2                 10
%2    α*日本        [[2, 4], [6, 8]]  [[1, 1], [1, 1]]
$ adtool vjp utf8.yaml --weight ééé=1
α = [[2, 2],
     [2, 2]]
日本 = 10
$ adtool jac utf8.yaml --output ééé
d ééé/d α = [[2, 0, 0, 0],
             [0, 2, 0, 0],
             [0, 0, 2, 0],
             [0, 0, 0, 2]]
d ééé/d 日本 = [[1],
              [2],
              [3],
              [4]]
$ adtool grad utf8.yaml --output 'ééé[0,1]' --trace --backend dual
ééé[0,1] = 4
  d/dα  = [[0, 2],
           [0, 0]]
  d/d日本 = 2
node  expression  value             d/dα[0,0]         d/dα[0,1]         d/dα[1,0]         d/dα[1,1]         d/d日本
α     input       [[1, 2], [3, 4]]  [[1, 0], [0, 0]]  [[0, 1], [0, 0]]  [[0, 0], [1, 0]]  [[0, 0], [0, 1]]  [[0, 0], [0, 0]]
日本    input       2                 0                 0                 0                 0                 1
%2    α*日本        [[2, 4], [6, 8]]  [[2, 0], [0, 0]]  [[0, 2], [0, 0]]  [[0, 0], [2, 0]]  [[0, 0], [0, 2]]  [[1, 2], [3, 4]]
$ printf 'adtool: 1\ninputs: {a: [[1, 2, 3], [4, 5, 6], [7, 8, 9]], b: [[1, 2, 3, 4], [5, 6, 7, 8]], c: [[[1, 2], [3, 4]]], d: {shape: [9, 0], fill: 1}}\noutputs: {s: sum(a) + sum(b) + sum(c) + sum(d)}\n' | adtool grad - --trace | tail -n +19
a     input       [[1, 2, 3], [4, 5, 6], ... 9 in all]    [[1, 1, 1], [1, 1, 1], ... 9 in all]
b     input       [[1, 2, 3, 4], [5, 6, ... 8 in all]]    [[1, 1, 1, 1], [1, 1, ... 8 in all]]
c     input       [[[1, 2], [3, 4]]]                      [[[1, 1], [1, 1]]]
d     input       [[], [], [], [], [], [], ... 0 in all]  [[], [], [], [], [], [], ... 0 in all]
%4    sum(a)      45                                      1
%5    sum(b)      36                                      1
%6    %4 + %5     81                                      1
%7    sum(c)      10                                      1
%8    %6 + %7     91                                      1
%9    sum(d)      0                                       1
%10   %8 + %9     91                                      1
$ adtool grad utf8.yaml --output éé
adtool: utf8.yaml has no output 'éé' (did you mean 'ééé'?)
? 2
$ adtool eval v.yaml --output 'y[1]'
y[1] = 4
$ adtool eval v.yaml --output 'y[-1]' --format json
{"outputs": {"y[2]": 9}}
$ adtool eval v.yaml --output 'y[1]' --format csv
output,element,value
y[1],0,4
$ adtool eval v.yaml --output 'y[2]' --format npy | tail -c 2 | od -A n -t x1
 22 40
$ adtool grad v.yaml --output 'y[1]'
y[1] = 4
  d/dx = [0, 4, 0]
$ adtool grad v.yaml --output 'y[-1]' --format json
{"backend": "tape", "outputs": {"y[2]": {"value": 9, "gradient": {"x": [0, 0, 6]}}}}
$ adtool grad v.yaml --output 'y[3]'
adtool: --output y[3]: index 3 is out of range for axis 0 of size 3
? 2
$ adtool grad v.yaml --output 'y[-4]'
adtool: --output y[-4]: index -4 is out of range for axis 0 of size 3
? 2
$ printf 'adtool: 1\ninputs: {x: [[1, 2]]}\noutputs: {y: x, s: sum(x)}\n' >m.yaml && adtool grad m.yaml --output 'y[0 1]'
adtool: --output y[0 1]: 'y' has shape [1, 2]; give one index for each axis
? 2
$ adtool grad m.yaml --output 's[0]'
adtool: --output s[0]: 's' is a scalar; leave the index out
? 2
$ adtool grad m.yaml --output 'y[0, 1]'
y[0,1] = 2
  d/dx = [[0, 1]]
$ adtool grad v.yaml --output y --seed '[1, 10, 100]' --format json
{"backend": "tape", "outputs": {"y": {"value": [1, 4, 9], "gradient": {"x": [2, 40, 600]}}}}
$ adtool grad v.yaml --output y --seed 1 --backend dual --format json
{"backend": "dual", "outputs": {"y": {"value": [1, 4, 9], "gradient": {"x": [2, 4, 6]}}}}
$ adtool grad v.yaml --output 'y[1]' --seed 1
adtool: --seed weighs all elements of an output; with it --output names no element
? 2
$ printf 'adtool: 1\ninputs: {x: 2}\nnodes: {y: x*x, w: "reshape(y, shape=[1])"}\noutputs: {y: y, w: w}\n' >views.yaml
$ adtool vjp views.yaml --weight y=1 --weight w=10
x = 44
$ adtool vjp views.yaml --weight y=1/3 --weight w=10 --backend mpfr --digits 20
x = 41.333333333333333333
$ adtool grad v.yaml --seed 1
adtool: --seed wants --output NAME: the output whose elements it weighs
? 2
$ adtool grad v.yaml --output Y
adtool: v.yaml has no output 'Y' (did you mean 'y'?)
? 2
$ adtool grad v.yaml --output z
adtool: v.yaml has no output 'z'; `adtool info` lists them
? 2
$ adtool grad v.yaml --wrt w
adtool: v.yaml has no input 'w'; `adtool info` lists them
? 2
$ adtool eval v.yaml --at x='[1, 2]'
--at x:1:1: error: the value for 'x' has 2 numbers, but its shape [3] has 3 elements
  [1, 2]
  ^
? 2
$ adtool eval v.yaml --at z=1
adtool: v.yaml has no input 'z'; `adtool info` lists them
? 2
$ adtool eval v.yaml --at x=
adtool: --at x= has no value after the =
? 2
$ adtool eval v.yaml --at x
adtool: --at wants NAME=VALUE, not 'x'
? 2
$ printf 'adtool: 1\ninputs: {x: }\noutputs: {y: sqrt(x)}\n' >s.yaml && adtool eval s.yaml
s.yaml: error: the input 'x' has no value; give one with --at x=... or in the file
? 3
$ adtool grad s.yaml --at x=-1
note: s.yaml: node 1 (sqrt) is outside the domain of sqrt
y = nan
  d/dx = nan
$ adtool grad s.yaml --at x=-1 --quiet
y = nan
  d/dx = nan
$ adtool grad s.yaml --at x=-1 --strict --quiet
s.yaml: error: a number left the domain of its operation (--strict)
? 4
$ adtool grad s.yaml --at x=0 --format json --quiet
{"backend": "tape", "outputs": {"y": {"value": 0, "gradient": {"x": "inf"}}}}
$ printf 'adtool: 1\ninputs: {"a=b": 2, "c,d": [1, 2], "e[0]": 3, e: [5, 7]}\noutputs: {"f=g,h": "`a=b`^2*sum(`c,d`)*`e[0]`*e[1]"}\n' >n.yaml
$ adtool eval n.yaml --at '`a=b`=1' --at '`c,d` = [1, 1]' --at 'e[0]=2'
f=g,h = 28
$ adtool grad n.yaml --wrt '`c,d`, `a=b`' --wrt 'e[0]' --output '`f=g,h`'
f=g,h = 252
  d/dc,d  = [84, 84]
  d/da=b  = 252
  d/de[0] = 84
$ adtool jvp n.yaml --direction '`a=b`=1' --output 'f=g,h'
f=g,h = 252
$ adtool vjp n.yaml --weight '`f=g,h`=1' --wrt '`a=b`'
a=b = 252
$ adtool taylor n.yaml --mixed '`a=b`,`c,d`[1]' --mixed 'e[0],e[1]' --mixed '`e`[1],`e[0]`'
f=g,h
  d/d(`a=b`,`c,d`[1]) = 84
  d/d(e[0],e[1]) = 12
  d/d(`e`[1],`e[0]`) = 12
$ adtool taylor n.yaml --mixed '`e[0]`[1]'
adtool: --mixed `e[0]`[1]: 'e[0]' is a scalar; leave the index out
? 2
$ adtool taylor n.yaml --mixed '`c,d`x[1]'
adtool: --mixed `c,d`x[1]: behind the name in backquotes only an index may stand
? 2
$ adtool eval n.yaml --at '`a=b=1'
adtool: --at: the backquote in '`a=b=1' has no second one
? 2
$ adtool eval n.yaml --at '`a=b`1'
adtool: --at wants NAME=VALUE, not '`a=b`1'
? 2
$ adtool eval n.yaml --at '=1'
adtool: --at: a name is missing before '=1'
? 2
$ adtool grad n.yaml --wrt '`a=b` e'
adtool: --wrt: 'e' stands behind the name 'a=b' where a comma would
? 2
$ adtool grad n.yaml --wrt ''
adtool: --wrt: a name is missing
? 2
$ adtool grad n.yaml --wrt 'e,'
adtool: --wrt: a name is missing
? 2
$ adtool grad n.yaml --wrt 'e,,`a=b`'
adtool: --wrt: a name is missing before ',`a=b`'
? 2
$ adtool grad n.yaml --output ''
adtool: --output: a name is missing
? 2
$ adtool taylor n.yaml --mixed 'e[1],'
adtool: --mixed: a name is missing
? 2
$ adtool grad n.yaml --output "$(printf %300s x | tr ' ' x)"
adtool: --output: a name has at most 255 bytes, not 300: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'
? 2
$ adtool grad n.yaml --at "$(printf %300s x | tr ' ' x)=1"
adtool: --at: a name has at most 255 bytes, not 300: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'
? 2
$ adtool eval n.yaml --at e=1 --at '`e`=2'
adtool: --at gives 'e' two values
? 2
$ adtool jvp n.yaml --direction e=1 --direction e=2
adtool: --direction gives 'e' two values
? 2
$ adtool grad n.yaml --output e --output e
adtool: --output stands twice; it takes one value
? 2
$ adtool grad n.yaml --seed 1 --seed=2
adtool: --seed stands twice; it takes one value
? 2
$ adtool eval n.yaml --format json --format json
{"error": {"message": "--format stands twice; it takes one value", "status": 2}}
? 2
$ adtool eval n.yaml -o a --out b
adtool: --out stands twice; it takes one value
? 2
$ adtool eval n.yaml -q --quiet --at e=1
f=g,h = 36
$ adtool eval tests/examples/net.onnx --bind batch=1 --bind batch=2
adtool: --bind gives 'batch' two values
? 2
$ adtool eval tests/examples/net.onnx --bind batch=two
--bind batch: error: 'two' is not a number; write 0.1, -2.5e-3, 0x1.8p+0, 1/3 (denominator not 0), pi, e, inf or nan
? 2
$ adtool eval v.yaml v.yaml --format npy
adtool: --format npy holds the result of one graph: give them one by one
? 2
$ adtool jac v.yaml v.yaml --sparse --format mtx
adtool: --format mtx holds the result of one graph: give them one by one
? 2
$ adtool grad tanh.yaml tests/examples/tutorial.yaml --format csv
adtool: --format csv holds the result of one graph: give them one by one
? 2
$ adtool eval v.yaml v.yaml --format json
{"outputs": {"y": [1, 4, 9]}}
{"outputs": {"y": [1, 4, 9]}}
$ adtool taylor tests/examples/tutorial.yaml --order 3 --direction w=1 --direction x=1/2
loss
  t^0  1
  t^1  -5
  t^2  5.25
  t^3  2.5
$ adtool taylor tests/examples/tutorial.yaml --order 2 --direction w=1 --direction x=1/2 --format json
{"order": 2, "outputs": {"loss": [1, -5, 5.25]}}
$ adtool taylor tests/examples/tutorial.yaml --order 2 --direction w=1/3 --backend mpfr --digits 30 --at x=1/7
note: tests/examples/tutorial.yaml: 30 digits are not proved for 3 of 3 numbers
loss
  t^0  8.16326530612244897959183673469
  t^1  -0.272108843537414965986394557823
  t^2  0.00226757369614512471655328798186
$ adtool taylor v.yaml --order 2 --direction x='[1, 0, -1]'
y
  t^0  [1, 4, 9]
  t^1  [2, 0, -6]
  t^2  [1, 0, 1]
$ adtool taylor v.yaml --order 2 --direction x=1 --output 'y[1]' --format csv
output,element,power,coefficient
y[1],0,0,4
y[1],0,1,4
y[1],0,2,1
$ adtool taylor v.yaml --order 11 --direction x=1 --output 'y[1]'
y[1]
  t^0   4
  t^1   4
  t^2   1
  t^3   0
  t^4   0
  t^5   0
  t^6   0
  t^7   0
  t^8   0
  t^9   0
  t^10  0
  t^11  0
$ adtool taylor v.yaml --mixed 'x[0],x[0]' --mixed 'x[1],x[-2]' --mixed 'x[0],x[1]'
y
  d/d(x[0],x[0]) = [2, 0, 0]
  d/d(x[1],x[-2]) = [0, 2, 0]
  d/d(x[0],x[1]) = [0, 0, 0]
$ adtool taylor m.yaml --mixed 'x[0,1]' --output 'y[0,1]' --format json
{"order": 1, "mixed": {"y[0,1]": {"x[0,1]": 1}}}
$ adtool taylor m.yaml --mixed 'x[0,1],x[0,0]' --format csv
output,element,by,derivative
y,0,"x[0,1],x[0,0]",0
y,1,"x[0,1],x[0,0]",0
s,0,"x[0,1],x[0,0]",0
$ printf 'adtool: 1\ninputs: {x: 0}\noutputs: {f: tanh(x)}\n' >tanh.yaml && adtool taylor tanh.yaml --order 5
f
  t^0  0
  t^1  1
  t^2  0
  t^3  -0.3333333333333333
  t^4  0
  t^5  0.13333333333333333
$ printf 'adtool: 1\ninputs: {x: 0, c: {value: 2, diff: no}}\noutputs: {f: c*exp(x)}\n' >c.yaml && adtool taylor c.yaml --order 2 && adtool taylor c.yaml --mixed c,x
f
  t^0  2
  t^1  2
  t^2  1
f
  d/d(c,x) = 1
$ adtool taylor s.yaml --order 2 --at x=0
note: s.yaml: node 1 (sqrt) is on the edge of the domain of sqrt
y
  t^0  0
  t^1  inf
  t^2  -inf
$ adtool taylor tanh.yaml
adtool: taylor wants --order K, or --mixed NAME,...
? 2
$ adtool taylor tests/examples/tutorial.yaml --order 2
adtool: tests/examples/tutorial.yaml has more than one number to move: say which way with --direction NAME=VALUE
? 2
$ adtool taylor tanh.yaml --order 0
f
  t^0  0
$ adtool taylor tanh.yaml --order 0 --direction x=1 --at x=inf --format json
{"order": 0, "outputs": {"f": [1]}}
$ adtool taylor tests/examples/tutorial.yaml --order 0 --backend mpfr --format csv
output,element,power,coefficient
loss,0,0,1
$ adtool taylor tanh.yaml --order -1
adtool: --order wants a whole number from 0 to 4294967294, not '-1'
? 2
$ printf 'adtool: 1\ninputs: {x: 0.5, y: 2, w: 0}\noutputs: {z: exp(10*x) + sin(y), c: exp(40*x) + cos(300*y) + 5e-12*x^2*y/2, f: 1/w + 0*y, g: x*y*w}\n' >mixed-zeros.yaml; adtool taylor mixed-zeros.yaml --mixed x,x,y --mixed x,y,w --format csv -q; adtool taylor mixed-zeros.yaml --mixed w,y --output f; adtool taylor mixed-zeros.yaml --mixed x,x,y --output c --backend mpfr --digits 20
output,element,by,derivative
z,0,"x,x,y",0
z,0,"x,y,w",0
c,0,"x,x,y",5e-12
c,0,"x,y,w",0
f,0,"x,x,y",0
f,0,"x,y,w",0
g,0,"x,x,y",0
g,0,"x,y,w",1
note: mixed-zeros.yaml: node 23 (div) is outside the domain of div
f
  d/d(w,y) = 0
note: mixed-zeros.yaml: 20 digits are not proved for 1 of 1 numbers
c
  d/d(x,x,y) = 5e-12
$ printf 'adtool: 1\ninputs: {x: 0}\noutputs: {c: cbrt(x)^3, d: acos(1 - x)^2}\n' >first.yaml; adtool taylor first.yaml --order 1 -q; adtool jvp first.yaml --direction x=1 -q
note: first.yaml: node 3 (pow): zero times infinity on the way of a derivative, which can be any number: nan
c
  t^0  0
  t^1  nan
d
  t^0  0
  t^1  nan
note: first.yaml: node 3 (pow): zero times infinity on the way of a derivative, which can be any number: nan
c = nan
d = nan
$ adtool taylor tanh.yaml --mixed x --order 0
adtool: --order 0 is not that of --mixed: leave it out
? 2
$ printf 'adtool: 1\ninputs: {c: {value: 2, diff: no}}\noutputs: {f: c*c}\n' >fixed.yaml
$ adtool taylor fixed.yaml --order 2
adtool: all inputs of fixed.yaml are `diff: no`: say which one moves with --direction NAME=VALUE
? 2
$ adtool taylor fixed.yaml --order 2 --direction c=1
f
  t^0  4
  t^1  4
  t^2  1
$ printf 'adtool: 1\noutputs: {f: sqr(3)}\n' | adtool taylor - --order 1
adtool: standard input has no input that could move
? 2
$ printf 'adtool: 1\ninputs: {x: {shape: [0], value: []}}\noutputs: {f: sum(x)}\n' | adtool taylor - --order 1
adtool: standard input has no number to move: say which way with --direction NAME=VALUE
? 2
$ adtool taylor tanh.yaml --order 2 --direction y=1
adtool: tanh.yaml has no input 'y'; `adtool info` lists them
? 2
$ adtool taylor tanh.yaml --order 2 --direction x
adtool: --direction wants NAME=VALUE, not 'x'
? 2
$ adtool taylor tanh.yaml --order 2 --direction x='[1, 2]'
--direction x:1:1: error: the value for 'x' has 2 numbers, but its shape [] has 1 elements
  [1, 2]
  ^
? 2
$ adtool taylor tanh.yaml --mixed x,y
adtool: tanh.yaml has no input 'y'; `adtool info` lists them
? 2
$ adtool taylor tanh.yaml --mixed 'x[0]'
adtool: --mixed x[0]: 'x' is a scalar; leave the index out
? 2
$ adtool taylor v.yaml --mixed 'x,x'
adtool: --mixed x: 'x' has shape [3]; choose an element: x[...]
? 2
$ adtool taylor v.yaml --mixed 'x[3]'
adtool: --mixed x[3]: index 3 is out of range for axis 0 of size 3
? 2
$ adtool taylor tanh.yaml --mixed x,x --mixed x
adtool: all --mixed derivatives are of one order; 'x' is not of order 2
? 2
$ adtool taylor tanh.yaml --mixed x,x --order 3
adtool: --order 3 is not that of --mixed: leave it out
? 2
$ adtool taylor tanh.yaml --mixed x,x --direction x=1
adtool: --mixed has directions of its own: leave --direction out
? 2
$ adtool taylor tanh.yaml --order 2 --format npy
adtool: --format of taylor is text, json or csv, not 'npy'
? 2
$ adtool taylor tanh.yaml --order 4000000000
adtool: error: series of order 4000000000 need more memory than the limit of 16384 MiB (--max-memory)
? 6
$ adtool taylor v.yaml --order 1000000 --direction x=1 --max-memory 100
adtool: error: series of order 1000000 need more memory than the limit of 100 MiB (--max-memory)
? 6
$ adtool check s.yaml --at x=4
s.yaml: pass: all methods agree on every entry
  1 derivative: 1 agrees, at up to 192 bits
  double keeps every digit
$ adtool check s.yaml --at x=0 --format json
{"verdict": "undecided", "reason": "entries are not numbers, or on the edge of a domain", "graph": "s.yaml", "entries": 1, "probed": false, "precision": 384, "classes": {"agrees": 0, "kink": 0, "edge": 1, "nan": 0, "undecided": 0, "differs": 0}, "kinks": 0, "edges": 1, "outside": 0, "made_nan": 0, "blame": [], "list": [{"class": "edge", "output": "y", "output_element": 0, "input": "x", "input_element": 0, "forward": "inf", "reverse": "inf", "difference": "nan", "dual": "inf", "tape": "inf", "difference_double": "nan", "difference_bound": "inf", "ulps": "nan", "digits": "nan"}], "outputs": [{"output": "y", "value_digits": 17, "derivative_digits": "nan", "value_error": 0, "derivative_error": 0}], "digits": 17, "unknown_digits": 0, "ulps": 0, "condition": "nan"}
$ adtool check tests/examples/cancel.yaml --min-digits 10
tests/examples/cancel.yaml: fail: double keeps fewer digits than asked for
  2 derivatives: 2 agrees, at up to 192 bits
  double keeps at least 0.0 digits; of derivatives 0.0 (worst 7.82e+19 ulp) at d naive / d x, condition 1
    naive: 7.1 digits of the value; 0.0 digits of the derivatives
    stable: 16.0 digits of the value; 4.9 digits of the derivatives
  8.9 digits of the value are lost at node 3 (sub)
? 1
$ adtool check tests/examples/tutorial.yaml --format json
{"verdict": "pass", "reason": "all methods agree on every entry", "graph": "tests/examples/tutorial.yaml", "entries": 3, "probed": false, "precision": 192, "classes": {"agrees": 3, "kink": 0, "edge": 0, "nan": 0, "undecided": 0, "differs": 0}, "kinks": 0, "edges": 0, "outside": 0, "made_nan": 0, "blame": [], "list": [], "outputs": [{"output": "loss", "value_digits": 17, "derivative_digits": 17, "value_error": 0, "derivative_error": 0}], "digits": 17, "unknown_digits": 0, "ulps": 0, "condition": 1.9999999999990905}
$ adtool diff tests/examples/tutorial.yaml -o d.adg && adtool eval d.adg --format json && adtool check d.adg
{"outputs": {"loss": 1, "grad.w": -4, "grad.x": -2, "grad.y": 2}}
d.adg: pass: all methods agree on every entry
  12 derivatives: 12 agrees, at up to 192 bits
  double keeps every digit
$ adtool diff d.adg --output grad.w --wrt x --to yaml | adtool eval -
grad.w = -4
grad2.x = 2
$ adtool diff tests/examples/tutorial.yaml --mode forward --wrt w -o j.yaml && adtool eval j.yaml --at tangent.w=3
loss = 1
tangent.loss = -12
$ adtool eval j.yaml
j.yaml: error: the input 'tangent.w' has no value; give one with --at tangent.w=... or in the file
? 3
$ adtool diff v.yaml --mode reverse --to yaml | adtool eval - --at adjoint.y='[1, 10, 100]' --format json
{"outputs": {"y": [1, 4, 9], "adjoint.x": [2, 40, 600]}}
$ adtool diff v.yaml --output 'y[1]' --to yaml | adtool eval - --format json
{"outputs": {"y": [1, 4, 9], "grad.x": [0, 4, 0]}}
$ adtool diff v.yaml --output y --seed '[1, 10, 100]' --to yaml | adtool eval - --format json
{"outputs": {"y": [1, 4, 9], "grad.x": [2, 40, 600]}}
$ adtool diff v.yaml --to yaml
adtool: the output 'y' has shape [3]; ask for one element (--output 'y[0]') or for a weighted sum (--output y --seed 1)
? 2
$ adtool diff m.yaml --to yaml
adtool: m.yaml has 2 outputs; choose one with --output, or all with --mode forward or reverse
? 2
$ adtool diff v.yaml --mode forward --output 'y[1]' --to yaml
adtool: --mode forward gives the whole output: leave out the index in --output
? 2
$ adtool diff v.yaml
adtool: diff wants -o FILE, or --to FORMAT for standard output
? 2
$ adtool hess tests/examples/tutorial.yaml
d2 loss/d w d w = [[8]]
d2 loss/d w d x = [[2]]
d2 loss/d w d y = [[-4]]
d2 loss/d x d w = [[2]]
d2 loss/d x d x = [[2]]
d2 loss/d x d y = [[-2]]
d2 loss/d y d w = [[-4]]
d2 loss/d y d x = [[-2]]
d2 loss/d y d y = [[2]]
$ printf 'adtool: 1\ninputs: {x: 2, y: 3}\noutputs: {z: x*y^2}\n' >order.yaml; printf 'x,y\n2,3\n' >order.csv; for f in text json csv; do for c in grad jac hess 'hvp --direction x=1' 'hess --sparse' 'jac --sparse' 'vjp --weight z=2'; do echo "# $c $f"; adtool $c order.yaml --wrt y,x --format $f; done; done
# grad text
z = 18
  d/dy = 12
  d/dx = 9
# jac text
d z/d y = [[12]]
d z/d x = [[9]]
# hess text
d2 z/d y d y = [[4]]
d2 z/d y d x = [[6]]
d2 z/d x d y = [[6]]
d2 z/d x d x = [[0]]
# hvp --direction x=1 text
y = 6
x = 0
# hess --sparse text
d2 z/d y d y = 4
d2 z/d y d x = 6
d2 z/d x d y = 6
# jac --sparse text
d z/d y = 12
d z/d x = 9
# vjp --weight z=2 text
y = 24
x = 18
# grad json
{"backend": "tape", "outputs": {"z": {"value": 18, "gradient": {"y": 12, "x": 9}}}}
# jac json
{"outputs": {"z": {"y": [[12]], "x": [[9]]}}}
# hess json
{"outputs": {"z": {"y": {"y": [[4]], "x": [[6]]}, "x": {"y": [[6]], "x": [[0]]}}}}
# hvp --direction x=1 json
{"hvp": {"y": 6, "x": 0}}
# hess --sparse json
{"shape": [2, 2], "row": [0, 0, 1], "col": [0, 1, 0], "value": [4, 6, 6]}
# jac --sparse json
{"shape": [1, 2], "row": [0, 0], "col": [0, 1], "value": [12, 9]}
# vjp --weight z=2 json
{"vjp": {"y": 24, "x": 18}}
# grad csv
output,input,element,derivative
z,y,0,12
z,x,0,9
# jac csv
output,output_element,input,input_element,derivative
z,0,y,0,12
z,0,x,0,9
# hess csv
output,row_input,row_element,column_input,column_element,derivative
z,y,0,y,0,4
z,y,0,x,0,6
z,x,0,y,0,6
z,x,0,x,0,0
# hvp --direction x=1 csv
input,element,derivative
y,0,6
x,0,0
# hess --sparse csv
output,row_input,row_element,column_input,column_element,derivative
z,y,0,y,0,4
z,y,0,x,0,6
z,x,0,y,0,6
# jac --sparse csv
output,output_element,input,input_element,derivative
z,0,y,0,12
z,0,x,0,9
# vjp --weight z=2 csv
input,element,derivative
y,0,24
x,0,18
$ adtool hess order.yaml --wrt y,x --sparse --format mtx; adtool jac order.yaml --wrt y,x --sparse --format mtx; adtool jac order.yaml --wrt y,x --format npy | tail -c 16 | od -A n -t f8; adtool hess order.yaml --wrt y,x --format npy | tail -c 32 | od -A n -t f8
%%MatrixMarket matrix coordinate real general
2 2 3
1 1 4
1 2 6
2 1 6
%%MatrixMarket matrix coordinate real general
1 2 2
1 1 12
1 2 9
                       12                        9
                        4                        6
                        6                        0
$ for d in grad jac hess; do for f in csv ndjson; do adtool batch order.yaml --points order.csv --do $d --wrt y,x --format $f; done; done; adtool batch order.yaml --points order.csv --do hess --wrt y,x -o order.npy; tail -c 56 order.npy | od -A n -t f8
z,dz/dy,dz/dx
18,12,9
{"row": 0, "outputs": {"z": {"value": 18, "gradient": {"y": 12, "x": 9}}}}
z,dz/dy,dz/dx
18,12,9
{"row": 0, "outputs": {"z": {"value": 18, "jacobian": {"y": [[12]], "x": [[9]]}}}}
z,dz/dy,dz/dx,d2z/dydy,d2z/dydx,d2z/dxdy,d2z/dxdx
18,12,9,4,6,6,0
{"row": 0, "outputs": {"z": {"value": 18, "gradient": {"y": 12, "x": 9}, "hessian": {"y": {"y": [[4]], "x": [[6]]}, "x": {"y": [[6]], "x": [[0]]}}}}}
                       18                       12
                        9                        4
                        6                        6
                        0
$ adtool diff order.yaml --wrt y,x --to yaml; adtool diff order.yaml --wrt y,x --mode forward --to yaml | grep -n tangent; adtool diff order.yaml --wrt y,x --mode reverse --to yaml | grep -n 'adjoint\..:'
adtool: 1
inputs:
  x: 2
  y: 3
nodes:
  "%2": sqr(y)
outputs:
  z: x*%2
  grad.y: mul_no_nan(y + y, x)
  grad.x: "%2"
5:  tangent.y: {shape: [], diff: no}
6:  tangent.x: {shape: [], diff: no}
11:  "%7": mul_no_nan(%6, tangent.y)
12:  "%8": mul_no_nan(%4, tangent.x)
17:  tangent.z: "%10"
5:  adjoint.z: {shape: [], diff: no}
15:  adjoint.y: "%8"
16:  adjoint.x: "%5"
$ for c in grad jac hess 'hvp --direction x=1' 'vjp --weight z=2' check 'diff --to yaml' 'dot --adjoints' 'batch --points order.csv'; do adtool $c order.yaml --wrt y,x,y; done
adtool: the input 'y' is named twice
adtool: the input 'y' is named twice
adtool: the input 'y' is named twice
adtool: the input 'y' is named twice
adtool: the input 'y' is named twice
adtool: the input 'y' is named twice
adtool: the input 'y' is named twice
adtool: the input 'y' is named twice
adtool: the input 'y' is named twice
? 2
$ printf 'adtool: 1\ninputs: {x: [1, 2]}\noutputs: {y: x, s: sum(x*x), z: exp(x)}\n' >seed.yaml; for m in forward reverse; do adtool grad seed.yaml --output y --seed 0.1 --backend mpfr --mode $m --digits 30; adtool grad seed.yaml --output y --seed '[1e400, 1/3]' --backend mpfr --mode $m --digits 20; adtool hess seed.yaml --output s --seed 0.1 --backend mpfr --mode $m --digits 30; done
y = [1, 2]
  d/dx = [0.1, 0.1]
y = [1, 2]
  d/dx = [1e+400, 0.33333333333333333333]
d2 s/d x d x = [[0.2, 0],
                [0, 0.2]]
y = [1, 2]
  d/dx = [0.1, 0.1]
y = [1, 2]
  d/dx = [1e+400, 0.33333333333333333333]
d2 s/d x d x = [[0.2, 0],
                [0, 0.2]]
$ adtool hvp seed.yaml --output s --seed 0.1 --direction 'x=[1, 0]' --backend mpfr --digits 30; adtool hess seed.yaml --output s --sparse --seed 1e400 --backend mpfr --digits 20; adtool diff seed.yaml --output y --seed '[0.1, 1e400]' --to yaml; adtool diff seed.yaml --output s --seed 0.1 --to yaml
x = [0.2, 0]
d2 s/d x[0] d x[0] = 2e+400
d2 s/d x[1] d x[1] = 2e+400
adtool: 1
inputs:
  x: [1, 2]
nodes:
  "%1": [0.1, 1e400]
outputs:
  y: x
  grad.x: "%1"
adtool: 1
inputs:
  x: [1, 2]
nodes:
  "%1": x*x
  "%2": sum(%1)
  "%3": {shape: [2], fill: 0.1}
  "%4": mul_no_nan(x, %3)
outputs:
  s: "%2"
  grad.x: "%4 + %4"
$ printf 'x[0],x[1]\n1,2\n' >seed.csv; for m in forward reverse; do adtool batch seed.yaml --points seed.csv --output y --seed '[1e-400, 0.1]' --mode $m --backend mpfr; done
y[0],y[1],dy/dx[0],dy/dx[1]
1,2,0,0.1
y[0],y[1],dy/dx[0],dy/dx[1]
1,2,0,0.1
$ adtool hess tests/examples/tutorial.yaml --backend tape --wrt x,w --at x=5 --format csv
output,row_input,row_element,column_input,column_element,derivative
loss,x,0,x,0,2
loss,x,0,w,0,14
loss,w,0,x,0,14
loss,w,0,w,0,50
$ adtool hess v.yaml --output y --seed '[1, 10, 100]' --format json
{"outputs": {"y": {"x": {"x": [[2, 0, 0], [0, 20, 0], [0, 0, 200]]}}}}
$ adtool hess v.yaml --output 'y[2]' --sparse --format json
{"shape": [3, 3], "row": [0, 1, 2], "col": [0, 1, 2], "value": [0, 0, 2]}
$ adtool hess v.yaml
adtool: the output 'y' has shape [3]; ask for one element (--output 'y[0]') or for a weighted sum (--output y --seed 1)
? 2
$ adtool hess m.yaml
adtool: m.yaml has 2 outputs; choose one with --output
? 2
$ adtool hess v.yaml --output 'y[0]' --format npz
adtool: --format npz holds a sparse matrix: --sparse
? 2
$ printf "adtool: 1\ninputs: {x: 0, y: 3}\noutputs: {f: 'abs(x)*y + sqrt(y)*y'}\n" >kink.yaml && adtool hess kink.yaml --sparse --at y=4
note: kink.yaml: node 2 (abs) stands on a kink of abs: its derivative there is the graph's policy
d2 f/d x d y = 0
d2 f/d y d x = 0
d2 f/d y d y = 0.375
$ adtool hess kink.yaml --at y=-1 --strict --format json
note: kink.yaml: node 2 (abs) stands on a kink of abs: its derivative there is the graph's policy
note: kink.yaml: node 4 (sqrt) is outside the domain of sqrt
{"error": {"message": "a number left the domain of its operation (--strict)", "file": "kink.yaml", "status": 4}}
? 4
$ adtool hvp kink.yaml --at y=4 --direction x=1
note: kink.yaml: node 2 (abs) stands on a kink of abs: its derivative there is the graph's policy
x = 0
y = 0
$ adtool hvp kink.yaml --at y=-1 --direction x=1 --strict --quiet --backend mpfr
kink.yaml: error: a number left the domain of its operation (--strict)
? 4
$ adtool jac kink.yaml --at y=4 --strict
note: kink.yaml: node 2 (abs) stands on a kink of abs: its derivative there is the graph's policy
d f/d x = [[0]]
d f/d y = [[3]]
$ adtool jac kink.yaml --at y=-1 --strict --quiet
kink.yaml: error: a number left the domain of its operation (--strict)
? 4
$ adtool jvp kink.yaml --at y=4 --direction x=1 --strict
note: kink.yaml: node 2 (abs) stands on a kink of abs: its derivative there is the graph's policy
f = 0
$ adtool jvp kink.yaml --at y=-1 --direction x=1 --strict --quiet
kink.yaml: error: a number left the domain of its operation (--strict)
? 4
$ adtool vjp kink.yaml --at y=4 --weight f=1 --strict
note: kink.yaml: node 2 (abs) stands on a kink of abs: its derivative there is the graph's policy
x = 0
y = 3
$ adtool vjp kink.yaml --at y=-1 --weight f=1 --strict --quiet
kink.yaml: error: a number left the domain of its operation (--strict)
? 4
$ adtool taylor kink.yaml --at y=4 --order 1 --direction x=1 --strict
note: kink.yaml: node 2 (abs) stands on a kink of abs: its derivative there is the graph's policy
f
  t^0  8
  t^1  0
$ adtool taylor kink.yaml --at y=-1 --mixed x,y --strict --quiet
kink.yaml: error: a number left the domain of its operation (--strict)
? 4
$ adtool hess tests/examples/tutorial.yaml --backend dual --mode reverse
adtool: the backend 'dual' has no reverse mode
? 2
$ adtool hess tests/examples/rosenbrock.yaml --sparse --format mtx --backend mpfr --digits 20 | head -4
%%MatrixMarket matrix coordinate real general
4 4 10
1 1 1330
1 2 480
$ adtool hvp tests/examples/tutorial.yaml --direction w=1 --direction x=0.1 --backend mpfr --digits 30
w = 8.2
x = 2.2
y = -4.2
$ adtool hvp v.yaml --output 'y[1]' --direction 'x=[1, 2, 3]' --format json
{"hvp": {"x": [0, 4, 0]}}
$ adtool hvp tests/examples/tutorial.yaml --direction w=1 --wrt x
x = 2
$ adtool hvp tests/examples/tutorial.yaml --direction w=1 --direction y=2 --wrt x,w --backend mpfr --format json
{"hvp": {"x": "-2", "w": "0"}}
$ printf 'adtool: 1\ninputs: {c: {value: [2, 3], diff: no}, x: 5, y: 7}\noutputs: {f: "c[0]^2*x^3*y + c[1]*y^2"}\n' >mixed.yaml
$ adtool hvp mixed.yaml --direction 'c=[1, 10]'
x = 2100
y = 640
$ adtool hvp mixed.yaml --direction 'c=[1, 10]' --direction y=1 --wrt c,x --mode reverse
c = [2250, 14]
x = 2400
$ adtool hess mixed.yaml --wrt c,x,y
d2 f/d c d c = [[1750, 0],
                [0, 0]]
d2 f/d c d x = [[2100],
                [0]]
d2 f/d c d y = [[500],
                [14]]
d2 f/d x d c = [[2100, 0]]
d2 f/d x d x = [[840]]
d2 f/d x d y = [[300]]
d2 f/d y d c = [[500, 14]]
d2 f/d y d x = [[300]]
d2 f/d y d y = [[6]]
$ adtool hvp fixed.yaml --direction c=1
note: fixed.yaml: all inputs are `diff: no`; name those to differentiate by with --wrt
$ adtool hvp fixed.yaml --direction c=1 --wrt c
c = 2
$ adtool grad fixed.yaml
note: fixed.yaml: all inputs are `diff: no`; name those to differentiate by with --wrt
f = 4
$ adtool jac fixed.yaml --format json
note: fixed.yaml: all inputs are `diff: no`; name those to differentiate by with --wrt
{"outputs": {"f": {}}}
$ adtool hess fixed.yaml --quiet
$ adtool vjp fixed.yaml --weight f=1
note: fixed.yaml: all inputs are `diff: no`; name those to differentiate by with --wrt
$ adtool vjp fixed.yaml --weight f=1 --wrt c
c = 4
$ printf 'adtool: 1\noutputs: {f: sqr(3)}\n' | adtool grad -
note: standard input: there is no input to differentiate by
f = 9
$ adtool hvp tests/examples/tutorial.yaml
adtool: a product wants a vector: --direction NAME=VALUE
? 2
$ adtool convert tests/examples/network.yaml -o n.adg && adtool grad n.adg --format json --wrt b2 && adtool convert n.adg -o n.yaml && adtool fmt tests/examples/network.yaml | cmp - n.yaml
{"backend": "tape", "outputs": {"loss": {"value": 0.27389269331255117, "gradient": {"b2": [0.12026666776672376, -0.13832329595801426]}}}}
note: tests/examples/network.yaml:1: comments are left out
$ adtool hash n.adg n.yaml | cut -d ' ' -f 1 | uniq | wc -l
1
$ adtool convert n.adg
adtool: convert wants -o FILE, or --to FORMAT for standard output
? 2
$ adtool convert n.adg -o n.txt
adtool: 'n.txt' does not say by its name which format to write; end it in .adg, .nl, .json, .yaml or .dot, or use --to
? 2
$ adtool convert n.adg --to xml
adtool: unknown format 'xml'; it may be adg, nl, cppad, yaml or dot
? 2
$ adtool convert n.adg -o no.yaml --stored
adtool: --stored is for .adg; .yaml has no such form
? 2
$ adtool convert n.adg -o no.adg --explicit
adtool: --explicit is for .yaml; .adg has no such form
? 2
$ adtool diff tests/examples/tutorial.yaml --to cppad --binary
adtool: --binary is for .nl; .json has no such form
? 2
$ ls no.yaml no.adg 2>&1 | grep -c 'No such'
2
$ adtool fmt v.yaml
adtool: 1
inputs:
  x: [1, 2, 3]
outputs:
  y: x^2
$ adtool fmt v.yaml --explicit
adtool: 1
inputs:
  x: [1, 2, 3]
nodes:
  "%2": {op: pow, args: [x, 2]}
outputs:
  y: "%2"
$ adtool fmt --check v.yaml
v.yaml
? 1
$ adtool fmt -i n.adg
adtool: n.adg is no YAML file; --in-place would turn it into one: use convert
? 2
$ adtool fmt -i - <v.yaml
adtool: --in-place wants a file, not standard input
? 2
$ adtool fmt -i --check v.yaml
adtool: --in-place, --check and --out exclude each other
? 2
$ adtool fmt -i v.yaml && adtool fmt --check v.yaml
$ adtool info tests/examples/network.yaml
name        two-layer-network
nodes       17 (6 inputs, 1 constants, 10 operations), depth 10
elements    56, of inputs 31
inputs
  x [3]  (diff: no)
  target [2]  (diff: no)
  W1 [4, 3]
  b1 [4]
  W2 [2, 4]
  b2 [2]
outputs
  loss
operations
  sub            3
  div            1
  pow            1
  sigmoid        2
  matmul         2
  sum            1
$ adtool info v.yaml --format json
{"name": "", "nodes": 3, "constants": 1, "named": 1, "depth": 1, "elements": 7, "inputs": {"x": [3]}, "outputs": {"y": [3]}, "operations": {"pow": 1}}
$ adtool ops tanh
tanh(x): hyperbolic tangent
  value      TANH(x)
  dz/dx      SECH_SQUARED(x)
  in double  value within 3 ulp, partials within 4
$ adtool ops tanh --format json
{"name": "tanh", "class": "elementwise", "min_args": 1, "max_args": 1, "args": "x", "value": "TANH(x)", "partials": ["SECH_SQUARED(x)"], "domain": "", "attributes": [], "doc": "hyperbolic tangent"}
$ adtool ops sofmax
adtool: unknown operation 'sofmax' (did you mean 'softmax'?)
? 2
$ adtool ops powi
adtool: unknown operation 'powi' (did you mean 'pow'?)
? 2
$ adtool info v.yaml --format csv
adtool: --format of info is text or json, not 'csv'
? 2
$ adtool backends --format npy
adtool: --format of backends is text or json, not 'npy'
? 2
$ adtool ops --format json >/dev/full
{"error": {"message": "can't write to standard output: No space left on device", "status": 5}}
? 5
$ adtool backends
tape   double  reverse           reverse mode over the recorded values, in double
dual   double  forward           forward mode on dual numbers, in double
mpfr   mpfr    forward, reverse  either mode in MPFR, at any precision from 2 bits
$ adtool backends --format json
[{"name": "tape", "numbers": "double", "modes": ["reverse"], "doc": "reverse mode over the recorded values, in double"}, {"name": "dual", "numbers": "double", "modes": ["forward"], "doc": "forward mode on dual numbers, in double"}, {"name": "mpfr", "numbers": "mpfr", "modes": ["forward", "reverse"], "doc": "either mode in MPFR, at any precision from 2 bits"}]
$ adtool
usage: adtool COMMAND [options] GRAPH...

Derivatives of saved computational graphs.

  eval      values of the outputs
  grad      value and gradient of the outputs
  jac       Jacobian: every output by every input
  jvp       Jacobian times a direction, by one forward sweep
  vjp       weights times the Jacobian, by one reverse sweep
  hess      Hessian: second derivatives of an output
  hvp       Hessian times a direction, by one sweep
  taylor    Taylor series along a direction, and mixed derivatives
  diff      a derivative as a graph
  check     all methods against each other: one verdict
  batch     a graph at every row of a table, or many graphs
  merge     the parts of a batch as one file
  convert   to another format
  fmt       rewrites a YAML graph canonically
  info      what is in a graph
  dot       a picture of a graph, for Graphviz
  hash      a digest of the graph's content
  ops       all operations, with their partial derivatives
  backends  all backends
  help      what a command does, and its options

`adtool help COMMAND` shows the options of a command. GRAPH is a file, or - for standard input.
Exit status: 0 fine, 1 a check failed, 2 a wrong command line, 3 a wrong file, 4 a number out of domain (--strict),
5 input or output, 6 a limit or out of memory.
? 2
$ adtool help grad
usage: adtool grad [options] GRAPH...

Differentiates each scalar output by the inputs.  Of an output that is a tensor, one element is chosen with
--output NAME[i,j], or a weighted sum of its elements with --output NAME --seed WEIGHTS.
With --format json the result is
  {"backend": NAME, "outputs": {NAME: {"value": V, "gradient": {INPUT: ...}}}}.
--trace shows every node in order with its value and its adjoint (forward mode: its tangent by each input).

  --at NAME=VALUE            give an input a value: a number, a nested list, or @FILE.npy; repeatable
  --point FILE               read input values from a YAML or JSON file of names and values
  --wrt NAME,...             differentiate by these inputs, in this order (default: all that are not `diff: no`); repeatable
  --output NAME              only this output, or one element of it: NAME[i,j]
  --seed LIST                weights of a non-scalar output's elements: a nested list, or one number for all
  --mode forward|reverse     the mode, where the backend has both
  --backend NAME             compute with this backend (see `adtool backends`; default tape)
  --precision BITS           precision of the mpfr backend, from 2 (default 256)
  --digits N                 show N significant digits; of mpfr's each is proved, or a note counts those that are not
  --trace                    show every node with its expression, value and derivative
  --threads N                use N threads (default: one for each processor)
  --format FORMAT            the form of the result: text, json, csv or npy
  -o, --out FILE             write to a file, replaced in one step, instead of standard output
  --strict                   exit 4 when a number leaves an operation's domain
  -q, --quiet                no notes
  --bind NAME=VALUE          fix a size that an ONNX model leaves open, or an input that sizes come from; repeatable
  --max-nodes N              limit on nodes (default 100000000)
  --max-elements N           limit on a tensor's elements (default 2147483648)
  --max-memory MIB           limit on memory for numbers, in MiB (default 16384)
  --max-precision BITS       limit on precision (default 10000000, of check 8192)
  --max-yaml-depth N         limit on nested lists and mappings (default 64)
  --max-expr-depth N         limit on nested expressions (default 256)
  --max-scalar BYTES         limit on one text of a file (default 1048576)
  -h, --help                 show this help
$ adtool hlep
adtool: unknown command 'hlep' (did you mean 'help'?)
? 2
$ adtool grad
adtool: grad wants GRAPH...; see `adtool help grad`
? 2
$ adtool grad v.yaml --fromat json
adtool: unknown option --fromat (did you mean --format?)
? 2
$ adtool grad v.yaml --format xml
adtool: --format of grad is text, json, csv or npy, not 'xml'
? 2
$ adtool grad v.yaml --format texinfo
adtool: --format of grad is text, json, csv or npy, not 'texinfo'
? 2
$ adtool grad v.yaml --precision 100
adtool: --precision is for --backend mpfr; double has 53 bits
? 2
$ adtool grad v.yaml --backend mpfr --precision 1
adtool: --precision wants a whole number from 2 to 10000000 (--max-precision), not '1'
? 2
$ adtool grad v.yaml --backend mpfr --precision 20000000 --output 'y[0]'
adtool: --precision wants a whole number from 2 to 10000000 (--max-precision), not '20000000'
? 2
$ adtool grad v.yaml --backend mpfr --precision 5000000000
adtool: --precision wants a whole number from 2 to 10000000 (--max-precision), not '5000000000'
? 2
$ adtool eval tests/examples/constants.yaml --output one --backend mpfr --precision 200 --max-precision 100
adtool: --precision wants a whole number from 2 to 100 (--max-precision), not '200'
? 2
$ adtool eval tests/examples/constants.yaml --output one --backend mpfr --digits 60 --max-precision 100
adtool: error: a precision of 264 bits is above the limit of 100 (--max-precision)
? 6
$ adtool eval v.yaml --max-nodes 1
v.yaml:5:8: error: the graph has more than 1 nodes, the limit (--max-nodes)
    y: x^2
         ^
? 6
$ adtool eval missing.yaml
adtool: error: can't open 'missing.yaml': No such file or directory
? 5
$ adtool eval missing.yaml --format json
{"error": {"message": "can't open 'missing.yaml': No such file or directory", "status": 5}}
? 5
$ adtool hlep --format json
{"error": {"message": "unknown command 'hlep' (did you mean 'help'?)", "status": 2}}
? 2
$ adtool eval v.yaml --fromat=json --format=json
{"error": {"message": "unknown option --fromat (did you mean --format?)", "status": 2}}
? 2
$ adtool grad v.yaml --format json --output z
{"error": {"message": "v.yaml has no output 'z'; `adtool info` lists them", "status": 2}}
? 2
$ adtool grad v.yaml --format json --digits 0
{"error": {"message": "--digits wants a whole number from 1 to 1000000000, not '0'", "status": 2}}
? 2
$ adtool eval --format json
{"error": {"message": "eval wants GRAPH...; see `adtool help eval`", "status": 2}}
? 2
$ adtool eval v.yaml --format json >/dev/full
{"error": {"message": "can't write to standard output: No space left on device", "status": 5}}
? 5
$ printf 'adtool: 1\ninputs: {x: 1}\noutputs: {}\n' >none.yaml
$ adtool eval none.yaml
none.yaml: error: the graph has no outputs, so there is nothing to compute
? 3
$ adtool grad none.yaml --format json
{"error": {"message": "the graph has no outputs, so there is nothing to compute", "file": "none.yaml", "status": 3}}
? 3
$ adtool fmt none.yaml | adtool check -
standard input: error: the graph has no outputs, so there is nothing to compute
? 3
$ adtool eval .
adtool: error: can't read '.': Is a directory
? 5
$ printf 'adtool: 1\ninputs: {x: 1}\noutputs: {y: x+}\n' | adtool eval - --format json
{"error": {"message": "the expression ends where a value is expected", "file": "standard input", "line": 3, "column": 16, "status": 3}}
? 3
$ adtool eval v.yaml -o /dev/full
adtool: error: can't write '/dev/full': No space left on device
? 5
$ adtool eval v.yaml >/dev/full
adtool: error: can't write to standard output: No space left on device
? 5
$ adtool batch tests/examples/tutorial.yaml --points tests/examples/points.csv --do check --format ndjson
{"row": 0, "verdict": "pass", "digits": 17, "ulps": 0, "entries": 3, "agrees": 3}
{"row": 1, "verdict": "pass", "digits": 17, "ulps": 0, "entries": 3, "agrees": 3}
{"row": 2, "verdict": "pass", "digits": 17, "ulps": 0, "entries": 3, "agrees": 3}
$ adtool batch tests/examples/tutorial.yaml --points tests/examples/points.csv --wrt x --format ndjson
{"row": 0, "outputs": {"loss": {"value": 1, "gradient": {"x": -2}}}}
{"row": 1, "outputs": {"loss": {"value": 0, "gradient": {"x": 0}}}}
{"row": 2, "outputs": {"loss": {"value": 0.0625, "gradient": {"x": 0.5}}}}
$ adtool batch tests/examples/tutorial.yaml --points tests/examples/points.csv --list x
adtool: --list would do nothing here: it wants graphs without --points
? 2
$ adtool batch tests/examples/tutorial.yaml --points tests/examples/points.csv --min-digits 3
adtool: --min-digits would do nothing here: it wants --do check
? 2
$ printf 'x,w\n1,2\n1,zwei\n' | adtool batch tests/examples/tutorial.yaml --points -
loss,dloss/dw,dloss/dx,dloss/dy
standard input:3:3: error: 'zwei' is not a number
? 3
$ printf 'x,W\n1,2\n' | adtool batch tests/examples/tutorial.yaml --points -
standard input:1:3: error: the column 'W' is no input of the graph (did you mean 'w'?)
? 3
$ printf 'x\n1\n' | adtool batch tests/examples/tutorial.yaml --points - --format npy
adtool: the header of an .npy file has the number of rows, which is not known yet; write to a file (-o), or choose --format csv
? 2
$ printf 'x\n1\n' | adtool batch tests/examples/tutorial.yaml --points - --shard 1/2
adtool: --shard wants -o FILE
? 2
$ adtool batch tests/examples/tutorial.yaml --points tests/examples/points.csv --shard 3/2 -o x
adtool: --shard: shard 3 of 2 does not exist; shards count from 1, to 1000000 at most
? 2
$ adtool batch tests/examples/network.yaml --points tests/examples/points.csv
tests/examples/points.csv:1:1: error: the column 'w' is no input of the graph; `adtool info` lists them
? 3
$ adtool batch tests/examples/tutorial.yaml --points tests/examples/points.csv --backend mpfr --digits 30
adtool: batch gives doubles, which have 17 digits at most; --precision computes with more bits
? 2
$ adtool eval /dev/zero --max-memory 64
adtool: error: /dev/zero has more than 4 MiB; if that is right, raise --max-memory
? 6
$ yes | adtool eval - --max-memory 64
adtool: error: standard input has more than 4 MiB; if that is right, raise --max-memory
? 6
$ truncate -s 65M hole.yaml; adtool eval hole.yaml --max-memory 64; rm hole.yaml
adtool: error: hole.yaml has more than 64 MiB; if that is right, raise --max-memory
$ printf 'adtool: 1\ninputs: {x: 0.1, y: 1e300}\noutputs: {a: (1e30 + x) - 1e30, b: sin(y), c: (1 - cos(x/1e20))/(x/1e20)^2, d: (0.1 + x) - 0.2, e: sin(x)^2 + cos(x)^2, f: log(x - x)}\n' >digits.yaml; adtool eval digits.yaml --backend mpfr --digits 20; adtool eval digits.yaml --backend mpfr --digits 20 --output d --format json; adtool grad digits.yaml --output e --backend mpfr --digits 20 -q --format csv
note: digits.yaml: node 25 (log) is on the edge of the domain of log
note: digits.yaml: 20 digits are not proved for 1 of 6 numbers
a = 0.1
b = -0.98575042516037699661
c = 0.5
d = 0 (below 2^-8191)
e = 1
f = -inf
note: digits.yaml: 0 stands for 1 of 1 numbers that may be 0 and are below 2^-8191
{"outputs": {"d": "0"}}
note: digits.yaml: 0 stands for 1 of 2 numbers that may be 0 and are below 2^-8190
output,input,element,derivative
e,x,0,0
e,y,0,0
$ adtool hess digits.yaml --output c --backend mpfr --digits 20 --wrt x; adtool jac digits.yaml --wrt x --output c --backend mpfr --digits 10 <digits.yaml; adtool hvp - --output c --direction x=2 --wrt x --backend mpfr --digits 10 <digits.yaml; adtool jvp - --output b --direction y=1 --backend mpfr --digits 10 <digits.yaml; adtool vjp digits.yaml --weight b=2 --wrt y --backend mpfr --digits 10
d2 c/d x d x = [[-8.3333333333333333333e-42]]
d c/d x = [[-8.333333333e-43]]
x = -1.666666667e-41
b = -0.1682144444
y = -0.3364288887
$ adtool taylor digits.yaml --order 2 --direction x=1 --output c --backend mpfr --digits 10 -q; adtool eval digits.yaml --output e --format npy --backend mpfr --digits 5 -o e.npy; adtool eval digits.yaml --output a --backend mpfr --digits 20 --max-precision 140
note: digits.yaml: 10 digits are not proved for 3 of 3 numbers
c
  t^0  0.5
  t^1  -8.333333333e-43
  t^2  -4.166666667e-42
note: digits.yaml: the digits of arrays are not proved; text, JSON and CSV are
note: digits.yaml: 20 digits are not proved for 1 of 1 numbers
a = 0.10000000009313225746
$ printf 'adtool: 1\ninputs: {x: -1, y: 2}\noutputs: {f: "stack(log(x), y^2)"}\n' >nanelement.yaml; adtool hess nanelement.yaml --output 'f[1]' -q; adtool hess nanelement.yaml --output f --seed '[1, 1]' -q
d2 f[1]/d x d x = [[0]]
d2 f[1]/d x d y = [[0]]
d2 f[1]/d y d x = [[0]]
d2 f[1]/d y d y = [[2]]
d2 f/d x d x = [[nan]]
d2 f/d x d y = [[nan]]
d2 f/d y d x = [[nan]]
d2 f/d y d y = [[nan]]
$ printf 'adtool: 1\ninputs: {x: 0, y: 2}\noutputs: {f: y*sqrt(x^2)}\n' >lostrow.yaml; printf 'x,y\n1,2\n0,3\n' >lostrow.csv; for t in grad jac hess; do adtool batch lostrow.yaml --points lostrow.csv --do $t -q; done; adtool batch lostrow.yaml --do grad --no-time
f,df/dx,df/dy
2,2,1
0,nan,0
note: lostrow.yaml: zero times infinity on the way of derivatives of some rows, which can be any number: nan
f,df/dx,df/dy
2,2,1
0,nan,0
note: lostrow.yaml: zero times infinity on the way of derivatives of some rows, which can be any number: nan
f,df/dx,df/dy,d2f/dxdx,d2f/dxdy,d2f/dydx,d2f/dydy
2,2,1,0,1,1,0
0,nan,0,nan,nan,nan,0
note: lostrow.yaml: zero times infinity on the way of derivatives of some rows, which can be any number: nan
{"graph": "lostrow.yaml", "status": "ok", "outputs": {"f": {"value": 0, "gradient": {"x": "nan", "y": 0}}}, "undetermined": true}
$ printf 'adtool: 1\ninputs: {x: -1, y: 2}\noutputs: {f: log(x)+y}\n' >nanrow.yaml; printf 'x,y\n-1,2\n2,3\n' >nanrow.csv; adtool batch nanrow.yaml --points nanrow.csv --do hess; adtool batch nanrow.yaml --points nanrow.csv --do grad
f,df/dx,df/dy,d2f/dxdx,d2f/dxdy,d2f/dydx,d2f/dydy
nan,nan,nan,nan,nan,0,0
3.6931471805599454,0.5,1,-0.25,0,0,0
f,df/dx,df/dy
nan,nan,nan
3.6931471805599454,0.5,1
$ adtool eval tests/examples/tutorial.yaml --format npy --digits 3
adtool: --digits would do nothing here: --format npy holds doubles as they are
? 2
$ adtool batch tests/examples/tutorial.yaml --points tests/examples/points.csv -o rows.npy --backend mpfr --digits 3
adtool: --digits would do nothing here: --format npy holds doubles as they are
? 2
$ adtool batch tests/examples/tutorial.yaml --points nowhere.npy
adtool: error: can't open 'nowhere.npy': No such file or directory
? 5
$ adtool batch tests/examples/tutorial.yaml --points tests/examples/points.csv --do check --reduce sum
adtool: --reduce is not for --do check
? 2
$ adtool grad tests/examples/tutorial.yaml --format ndjson
{"error": {"message": "--format of grad is text, json, csv or npy, not 'ndjson'", "status": 2}}
? 2
$ adtool convert --optimize --to yaml tests/examples/repeats.yaml
adtool: 1
name: repeats
inputs:
  x: 2
  v: [1, 2, 3]
nodes:
  a: x*5
  "%4": 1
  "%5": a + a
  "%6": sum(v)
  "%7": "%6 + a"
  "%8": sqr(x)
  "%9": "%4/x"
  "%10": 0.25
  "%11": "%9*%10"
  "%12": "%8 + %11"
outputs:
  y: "%5"
  z: "%7"
  w: "%12"
$ adtool info --after dead tests/examples/repeats.yaml
pass        dead       22 nodes, 23 before: drops what no output needs
name        repeats
nodes       22 (2 inputs, 5 constants, 15 operations), depth 6
elements    26, of inputs 4
inputs
  x
  v [3]
outputs
  y
  z
  w
operations
  neg            2
  add            4
  mul            4
  div            2
  pow            1
  slice          1
  sum            1
$ adtool info --after common tests/examples/repeats.yaml
pass        dead       22 nodes, 23 before: drops what no output needs
pass        fold       21 nodes, 22 before: computes operations on constants where that changes no bit
pass        identities 16 nodes, 21 before: drops or simplifies x*1, -(-x), whole slices and the like, where that changes no bit
pass        common     13 nodes, 16 before: computes once what is written several times
name        repeats
nodes       13 (2 inputs, 3 constants, 8 operations), depth 3
elements    15, of inputs 4
inputs
  x
  v [3]
outputs
  y
  z
  w
operations
  add            3
  mul            2
  div            1
  sqr            1
  sum            1
$ adtool info --after fold tests/examples/repeats.yaml --format json
{"passes": [{"name": "dead", "nodes": 22, "before": 23}, {"name": "fold", "nodes": 21, "before": 22}], "name": "repeats", "nodes": 21, "constants": 5, "named": 5, "depth": 5, "elements": 25, "inputs": {"x": [], "v": [3]}, "outputs": {"y": [], "z": [], "w": []}, "operations": {"neg": 2, "add": 3, "mul": 4, "div": 2, "pow": 1, "slice": 1, "sum": 1}}
$ adtool info --after best tests/examples/repeats.yaml
adtool: --after is one of dead, fold, identities, common, not 'best'
? 2
$ adtool convert tests/examples/repeats.yaml --optimize -o p.adg; adtool convert p.adg --optimize -o q.adg; cmp p.adg q.adg; adtool grad tests/examples/repeats.yaml >a; adtool grad p.adg | cmp a -
$ adtool eval tests/examples/repeats.yaml --optimize
adtool: eval has no option --optimize; see `adtool help eval`
? 2
$ adtool dot tests/examples/tutorial.yaml
digraph "squared-error" {
  node [shape=box, style="rounded,filled", fillcolor=white, fontname=Helvetica, fontsize=11];
  edge [fontname=Helvetica, fontsize=9];
  graph [fontname=Helvetica, fontsize=11];
  n0 [label="w\ninput", fillcolor="#dcebfa"];
  n1 [label="x\ninput", fillcolor="#dcebfa"];
  n2 [label="y\ninput", fillcolor="#dcebfa"];
  n3 [label="l1\nmul"];
  n4 [label="l2\nsub"];
  n5 [label="l3, loss\npow(_, 2)", peripheries=2];
  n0 -> n3;
  n1 -> n3;
  n3 -> n4 [label="x"];
  n2 -> n4 [label="y"];
  n4 -> n5;
}
$ adtool dot tests/examples/tutorial.yaml --values --adjoints --digits 3 | grep label
  n0 [label="w\ninput\n= 1\nadjoint -4", fillcolor="#dcebfa"];
  n1 [label="x\ninput\n= 2\nadjoint -2", fillcolor="#dcebfa"];
  n2 [label="y\ninput\n= 3\nadjoint 2", fillcolor="#dcebfa"];
  n3 [label="l1\nmul\n= 2\nadjoint -2"];
  n4 [label="l2\nsub\n= -1\nadjoint -2"];
  n5 [label="l3, loss\npow(_, 2)\n= 1\nadjoint 1", peripheries=2];
  n3 -> n4 [label="x"];
  n2 -> n4 [label="y"];
$ adtool dot tests/examples/network.yaml --shapes | grep -v '^  [neg][a-z]* \['
digraph "two-layer-network" {
  n0 [label="x\ninput, diff: no\n[3]", fillcolor="#dcebfa"];
  n1 [label="target\ninput, diff: no\n[2]", fillcolor="#dcebfa"];
  n2 [label="W1\ninput\n[4, 3]", fillcolor="#dcebfa"];
  n3 [label="b1\ninput\n[4]", fillcolor="#dcebfa"];
  n4 [label="W2\ninput\n[2, 4]", fillcolor="#dcebfa"];
  n5 [label="b2\ninput\n[2]", fillcolor="#dcebfa"];
  subgraph cluster_8 {
    label="h";
    n6 [label="matmul\n[4]"];
    n7 [label="sub\n[4]"];
    n8 [label="h\nsigmoid\n[4]"];
  }
  subgraph cluster_11 {
    label="y";
    n9 [label="matmul\n[2]"];
    n10 [label="sub\n[2]"];
    n11 [label="y\nsigmoid\n[2]"];
  }
  n12 [label="error\nsub\n[2]"];
  subgraph cluster_15 {
    label="loss";
    n13 [label="pow(_, 2)\n[2]"];
    n14 [label="sum axis=[0]"];
    n15 [label="loss\ndiv(_, 2)", peripheries=2];
  }
  n2 -> n6 [label="x"];
  n0 -> n6 [label="y"];
  n6 -> n7 [label="x"];
  n3 -> n7 [label="y"];
  n7 -> n8;
  n4 -> n9 [label="x"];
  n8 -> n9 [label="y"];
  n9 -> n10 [label="x"];
  n5 -> n10 [label="y"];
  n10 -> n11;
  n11 -> n12 [label="x"];
  n1 -> n12 [label="y"];
  n12 -> n13;
  n13 -> n14;
  n14 -> n15;
}
$ adtool dot tests/examples/network.yaml --max-shown 12
digraph "two-layer-network" {
  node [shape=box, style="rounded,filled", fillcolor=white, fontname=Helvetica, fontsize=11];
  edge [fontname=Helvetica, fontsize=9];
  graph [fontname=Helvetica, fontsize=11];
  n0 [label="x\ninput, diff: no", fillcolor="#dcebfa"];
  n1 [label="target\ninput, diff: no", fillcolor="#dcebfa"];
  n2 [label="W1\ninput", fillcolor="#dcebfa"];
  n3 [label="b1\ninput", fillcolor="#dcebfa"];
  n4 [label="W2\ninput", fillcolor="#dcebfa"];
  n5 [label="b2\ninput", fillcolor="#dcebfa"];
  n6 [label="h\n3 nodes\n1 sub, 1 sigmoid, 1 matmul", fillcolor="#f4f4f4"];
  n7 [label="y\n3 nodes\n1 sub, 1 sigmoid, 1 matmul", fillcolor="#f4f4f4"];
  n8 [label="error\nsub"];
  n9 [label="loss\n3 nodes\n1 div, 1 pow, 1 sum", fillcolor="#f4f4f4", peripheries=2];
  n0 -> n6;
  n1 -> n8;
  n2 -> n6;
  n3 -> n6;
  n4 -> n7;
  n5 -> n7;
  n6 -> n7;
  n7 -> n8;
  n8 -> n9;
}
$ adtool dot tests/examples/pendulum.yaml --max-shown 8
digraph "pendulum-step" {
  node [shape=box, style="rounded,filled", fillcolor=white, fontname=Helvetica, fontsize=11];
  edge [fontname=Helvetica, fontsize=9];
  graph [fontname=Helvetica, fontsize=11];
  n0 [label="theta\ninput", fillcolor="#dcebfa"];
  n1 [label="... 4 more inputs", style="rounded,filled,dashed", fillcolor="#f4f4f4"];
  n2 [label="12 nodes, levels 1 to 5\n4 mul, 3 div, 2 add, 2 sin, 1 more", style="rounded,filled,dashed", fillcolor="#f4f4f4"];
  n3 [label="3 nodes, levels 1 to 7\n1 add, 1 mul, 1 div", style="rounded,filled,dashed", fillcolor="#f4f4f4"];
  n4 [label="5 nodes, levels 1 to 9\n2 mul, 1 add, 1 div, 1 sin", style="rounded,filled,dashed", fillcolor="#f4f4f4"];
  n5 [label="theta_next\n10 nodes\n5 add, 4 mul, 1 div", fillcolor="#f4f4f4", peripheries=2];
  n6 [label="omega_next\n12 nodes\n5 add, 5 mul, 1 div, 1 sin", fillcolor="#f4f4f4", peripheries=2];
  n0 -> n2 [label="2"];
  n0 -> n4;
  n0 -> n5;
  n0 -> n6;
  n1 -> n2 [label="6"];
  n1 -> n3 [label="2"];
  n1 -> n4;
  n1 -> n5 [label="4"];
  n1 -> n6 [label="3"];
  n2 -> n3;
  n2 -> n4 [label="2"];
  n2 -> n5;
  n2 -> n6 [label="3"];
  n3 -> n5;
  n3 -> n6;
  n4 -> n5;
  n4 -> n6;
}
$ adtool convert tests/examples/tutorial.yaml -o t.dot && adtool dot tests/examples/tutorial.yaml | cmp - t.dot
$ printf 'adtool: 1\ninputs: {"a\\"b\\\\n&": [[1, 2], [3, 4]]}\noutputs: {"é": "`a\\"b\\\\n&`[:, 1]/3"}\n' | adtool dot - --values --adjoints --output 'é[0]' | grep label
  n0 [label="a\"b\\n&amp;\ninput\n= [[1, 2], [3, 4]]\nadjoint [[0, 0.333333], [0, 0]]", fillcolor="#dcebfa"];
    label="é";
    n1 [label="slice [:, 1]\n= [2, 4]\nadjoint [0.333333, 0]"];
    n2 [label="é\ndiv(_, 3)\n= [0.666667, 1.33333]\nadjoint [1, 0]", peripheries=2];
$ adtool dot v.yaml --adjoints
adtool: the output 'y' has shape [3]; ask for one element (--output 'y[0]') or for a weighted sum (--output y --seed 1)
? 2
$ adtool dot m.yaml --adjoints
adtool: m.yaml has 2 outputs; choose with --output the one whose adjoints are shown
? 2
$ adtool dot tests/examples/tutorial.yaml --adjoints --backend dual
adtool: the backend 'dual' has no adjoints; use tape or mpfr
? 2
$ adtool dot tests/examples/tutorial.yaml --max-shown 7
adtool: --max-shown wants a whole number from 8 to 10000, not '7'
? 2
$ adtool dot tests/examples/tutorial.yaml --at x=5
adtool: --at would do nothing here: it wants --values or --adjoints
? 2
$ adtool dot tests/examples/tutorial.yaml --values --wrt x
adtool: --wrt would do nothing here: it wants --adjoints
? 2
$ adtool eval t.dot
t.dot:1:1: error: a graph file is a mapping of keys to values
  digraph "squared-error" {
  ^
? 3
$ adtool grad tests/examples/cppad.json --at p=2 --at x='[0.5, 0.75, -1]' --output 'y[1]'
y[1] = 1.7080514590995062
  d/dx = [0.3753751557599755, 1, 0.13671225481145022]
$ adtool convert tests/examples/cppad.json -o c.json && adtool hash c.json tests/examples/cppad.json | cut -d ' ' -f 1 | uniq | wc -l
1
$ adtool convert tests/examples/tutorial.yaml --to cppad
{
"function_name" : "squared-error",
"op_define_vec" : [ 3, [
{ "op_code":1, "name":"mul", "n_arg":2 },
{ "op_code":2, "name":"sub", "n_arg":2 },
{ "op_code":3, "name":"pow", "n_arg":2 } ]
],
"n_dynamic_ind" : 0,
"n_variable_ind" : 3,
"constant_vec" : [ 1, [
2 ]
],
"op_usage_vec" : [ 3, [
[ 1, 1, 2 ],
[ 2, 5, 3 ],
[ 3, 6, 4 ] ]
],
"dependent_vec" : [ 1, [ 7 ] ]
}
$ adtool convert tests/examples/logistic.yaml --to cppad
adtool: error: CppAD's graphs have no operator for softplus
? 3
$ printf 'adtool: 1\nkinks: {abs: 1, ties: first, pow00: nan}\ninputs: {x: 2, y: 2, d: 1}\noutputs: {a: "max(x, y) + max(x, 1) + clip(x, 0, 2)", b: relu(x - y) + abs(x) + x^y}\n' >kinks.yaml; for f in nl cppad yaml adg; do echo "# $f"; adtool convert kinks.yaml --to $f >/dev/null; adtool convert kinks.yaml --to $f -q >/dev/null; done; adtool diff kinks.yaml --output b -o kinks.nl; adtool convert tests/examples/rosenbrock.yaml -o no-kinks.nl
# nl
note: nl keeps no policy for kinks: the derivative at those of pow (1 node), abs (1 node), max (2 nodes), clip (1 node), relu (1 node) is up to who reads the file
# cppad
note: cppad keeps no policy for kinks: the derivative at those of pow (1 node), abs (1 node), max (2 nodes), clip (1 node), relu (1 node) is up to who reads the file
# yaml
# adg
note: nl keeps no policy for kinks: the derivative at those of pow (2 nodes), abs (3 nodes), relu (1 node) is up to who reads the file
$ adtool convert tests/examples/rosenbrock.yaml --to nl
g3 1 1 0	# problem rosenbrock
 4 0 1 0 0 0
 0 1
 0 0
 0 4 0
 0 0 0 1
 0 0 0 0 0
 0 4
 0 0
 0 0 0 0 0
O0 0
o54
3
o0
o2
n100
o5
o1
v1
o5
v0
n2
n2
o5
o1
n1
v0
n2
o0
o2
n100
o5
o1
v2
o5
v1
n2
n2
o5
o1
n1
v1
n2
o0
o2
n100
o5
o1
v3
o5
v2
n2
n2
o5
o1
n1
v2
n2
x4
0 -1.2
1 1
2 -1.2
3 1
b
3
3
3
3
G0 4
0 0
1 0
2 0
3 0
$ adtool convert tests/examples/rosenbrock.yaml -o r.nl --binary && head -c 1 r.nl && adtool grad r.nl
bobj = 532.4000000000001
  d/dx = [-215.59999999999997, 792.0000000000001, -655.6, -87.99999999999999]
$ adtool convert tests/examples/logistic.yaml --to nl
adtool: error: .nl has no operator for softplus
? 3
$ printf 'adtool: 1\n# why\nname: "a # b"\ninputs: {x: 1}\noutputs: {f: x}\n' >c.yaml && cp c.yaml kept.yaml && adtool fmt c.yaml
note: c.yaml:2: comments are left out
adtool: 1
name: "a # b"
inputs:
  x: 1
outputs:
  f: x
$ adtool fmt -i c.yaml
c.yaml:2: error: the first comment stands here; comments would be lost: --drop-comments rewrites the file
? 2
$ adtool fmt c.yaml -o ./c.yaml
c.yaml:2: error: the first comment stands here; comments would be lost: --drop-comments rewrites the file
? 2
$ cmp c.yaml kept.yaml && adtool fmt -i --drop-comments c.yaml && adtool fmt --check c.yaml && adtool fmt -i c.yaml
$ adtool fmt kept.yaml --drop-comments
adtool: 1
name: "a # b"
inputs:
  x: 1
outputs:
  f: x
$ printf 'adtool: 1\nmeta: {note: "a\\e[31mRED\\u202E\\x85\\nb"}\ninputs: {x: 1}\noutputs: {f: x}\n' >e.yaml && adtool info e.yaml | grep meta && adtool fmt e.yaml
meta        note: a?[31mRED?? b
adtool: 1
meta:
  note: "a\x1B[31mRED\u202E\x85\nb"
inputs:
  x: 1
outputs:
  f: x
$ printf 'adtool: 1\ninputs: {"a\342\200\256b": 1}\noutputs: {f: 1}\n' | adtool eval -
standard input:2:11: error: an input's name has something that is not UTF-8 or a control character at byte 1
  inputs: {"a?b": 1}
            ^
? 3
$ cp kept.yaml "$(printf 'a\377\033\302\233\342\200\256\177.yaml')" && adtool batch a*.yaml --do eval --no-time && rm a*.yaml
{"graph": "a\ufffd\u001b\u009b\u202e\u007f.yaml", "status": "ok", "outputs": {"f": 1}}
$ adtool eval tests/examples/nonzeros.nl --output obj
note: tests/examples/nonzeros.nl: the header promises 2 nonzeros in gradients, but the segments G have 1
obj = 1.6607425941559795
$ adtool eval tests/examples/nonzeros.nl --output obj --quiet
obj = 1.6607425941559795
$ printf 'adtool: 1\ninputs: {x: 1e400}\nnodes: {c: -1e999}\noutputs: {f: x + c}\n' >o.yaml && adtool eval o.yaml
note: o.yaml: 'x': 1e400 is beyond double, which has inf for it; --backend mpfr keeps it
note: o.yaml: 'c': -1e999 is beyond double, which has -inf for it; --backend mpfr keeps it
note: o.yaml: node 2 (add) made the first nan, by add
f = nan
$ adtool eval o.yaml --backend mpfr --digits 5
f = -1e+999
$ adtool eval o.yaml --at x=2e308 --quiet; printf 'x\n1\n' | adtool batch o.yaml --points - --do eval
f = nan
f
note: o.yaml: 'c': -1e999 is beyond double, which has -inf for it; --backend mpfr keeps it
-inf
$ printf '{"x": NaN, "y": [Infinity, -Infinity]}' >p.json && printf 'adtool: 1\ninputs: {x: 1, y: [1, 2]}\noutputs: {f: x, g: y}\n' >p.yaml && adtool eval p.yaml --point p.json && adtool eval p.yaml --at y='[.inf, -.Inf]' --at x=.NAN
f = nan
g = [inf, -inf]
f = nan
g = [inf, -inf]
$ adtool hash missing.yaml tests/errors/nl-cut.nl
adtool: error: can't open 'missing.yaml': No such file or directory
tests/errors/nl-cut.nl:26:1: error: the segment r is missing; the file was cut off or is damaged
? 5
$ adtool hash tests/errors/nl-cut.nl missing.yaml
tests/errors/nl-cut.nl:26:1: error: the segment r is missing; the file was cut off or is damaged
adtool: error: can't open 'missing.yaml': No such file or directory
? 3
$ printf 'adtool: 1\ninputs: {x: 3}\noutputs: {grad.x: x^2}\n' >g.yaml && adtool diff g.yaml --to yaml
adtool: 1
inputs:
  x: 3
outputs:
  grad.x: sqr(x)
  grad2.x: x + x
$ printf 'adtool: 1\ninputs: {x: 3}\noutputs: {f: x^2, grad.x: x^3}\n' >g2.yaml && adtool diff g2.yaml --output f --to yaml
adtool: 1
inputs:
  x: 3
outputs:
  f: sqr(x)
  grad2.x: x + x
$ adtool convert tests/examples/nonzeros.nl -o n.nl; printf 'a\nb\n' >n.col; printf 'p\n' >n.row; adtool info n.nl | grep names; adtool convert g.yaml -o n.nl && ls n.nl n.col n.row 2>/dev/null
note: tests/examples/nonzeros.nl: the header promises 2 nonzeros in gradients, but the segments G have 1
note: n.nl: n.row has 1 names where the model has 2 rows; they are left out
meta        nl.names.x: a b
n.nl
? 2

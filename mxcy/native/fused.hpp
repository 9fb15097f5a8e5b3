// Several pointwise operations as one program: what one computes is read by the next while it is in the
// first-level cache, and results that nobody will read are not written at all.
//
// Block after block all operations run in their order, so every element sees exactly the loops that it
// would see if they ran one after the other.  For that they must walk the same elements in the same order:
// their spaces are cut into common axes, and of each variable that one of them writes there is one view.
// Loops may take other code for other strides, so an operand keeps the stride that it has by itself.
#pragma once
#include <memory>
#include <new>
#include <vector>
#include "pointwise.hpp"

namespace mxcy {

using Extents = SmallVector<int64_t, 4>;

// Cuts the axes of two shapes so that both become the same one: (6, 4) and (2, 12) give (2, 3, 4).
inline bool common_axes(const Extents& a, const Extents& b, Extents& common) {
  Extents reversed;
  int i = int(a.size()) - 1, j = int(b.size()) - 1;
  int64_t x = 1, y = 1;  // what is left of the axis at hand
  for (;;) {
    while (x == 1 && i >= 0) x = a[i--];
    while (y == 1 && j >= 0) y = b[j--];
    if (x == 1 || y == 1) break;
    const int64_t length = std::min(x, y);
    if (x % length || y % length) return false;
    reversed.push_back(length);
    x /= length;
    y /= length;
  }
  common = Extents(reversed.size());
  for (size_t d = 0; d < common.size(); ++d) common[d] = reversed[common.size() - 1 - d];
  return x == y;
}

// The strides of an operand over axes that `common_axes` has cut from those of `shape`.
inline Extents cut_strides(const Extents& shape, const Extents& strides, const Extents& finer) {
  Extents cut(finer.size());
  int axis = int(shape.size()) - 1;
  int64_t covered = 1;
  for (int d = int(finer.size()) - 1; d >= 0; --d) {
    if (covered == shape[axis]) --axis, covered = 1;
    cut[d] = strides[axis] * covered;
    covered *= finer[d];
  }
  return cut;
}

class PointwiseFusion final : public Fusion {
 public:
  bool add(Op* op) noexcept override {
    try {
      return ops_.size() < MOST && join(*static_cast<PointwiseOp*>(op));
    } catch (const std::bad_alloc&) {
      return false;
    }
  }

  bool run(Var* const* unreachable, int n, Failure& failure) noexcept override {
    try {
      PointwiseOp fused;
      build(fused, unreachable, n);
      for (const PointwiseOp* op : ops_)
        if (op->space.ndim > 1 && op->by_rows() != fused.by_rows()) return false;
      // Memory is there, or nothing has happened yet.
      if (!fused.locate(failure)) return false;
      fused.run(failure);
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }

 private:
  struct View {
    Var* var;
    int64_t offset;
    uint8_t dtype;
    bool written;
    Extents strides;
    bool same(const View& other) const {
      if (var != other.var || offset != other.offset || dtype != other.dtype) return false;
      for (size_t d = 0; d < strides.size(); ++d)
        if (strides[d] != other.strides[d]) return false;
      return true;
    }
  };
  static constexpr int UNREAD = -1;  // an operand that stands for a scalar

  std::vector<PointwiseOp*> ops_;
  std::vector<std::vector<int>> views_of_;  // of each operation's operands
  Extents shape_;
  std::vector<View> views_;

  bool join(PointwiseOp& op) {
    const Space& space = op.space;
    const Extents shape(space.shape.data(), space.ndim);
    Extents common = shape;
    if (ops_.size() && !common_axes(shape_, shape, common)) return false;
    if (ops_.size())
      for (View& view : views_) view.strides = cut_strides(shape_, view.strides, common);
    shape_ = common;
    std::vector<View> views = views_;
    std::vector<int> mine;
    for (int k = 0; k < space.n; ++k) {
      const bool writes = k >= op.program->n_inputs;
      if (!writes && op.program->last_read[k] < 0) {
        mine.push_back(UNREAD);
        continue;
      }
      Extents strides(space.ndim);
      for (int d = 0; d < space.ndim; ++d) strides[d] = space.row(d)[k];
      const Operand& operand = op.operands[k];
      View view{operand.var, operand.offset, operand.dtype, writes, cut_strides(shape, strides, shape_)};
      if (writes && (operand.var->owner || !is_injective(view))) return false;
      size_t at = 0;
      while (at < views.size() && !views[at].same(view)) ++at;
      if (at == views.size())
        views.push_back(view);
      else
        views[at].written |= writes;
      mine.push_back(int(at));
    }
    for (size_t i = 0; i < views.size(); ++i)
      for (size_t j = 0; j < i; ++j)
        if (views[i].var == views[j].var && (views[i].written || views[j].written)) return false;
    views_ = std::move(views);
    views_of_.push_back(std::move(mine));
    ops_.push_back(&op);
    return true;
  }

  // Whether no element is written twice; true only of nested axes, as those of all but odd views are.
  bool is_injective(const View& view) const {
    int64_t reach = ITEMSIZE[view.dtype];
    for (int d = int(shape_.size()) - 1; d >= 0; --d) {
      const int64_t step = std::abs(view.strides[d]);
      if (step < reach) return false;
      reach = step * shape_[d];
    }
    return true;
  }

  // Whether a temporary has the same stride.
  bool is_dense(const View& view) const {
    return shape_.size() == 0 || view.strides[shape_.size() - 1] == ITEMSIZE[view.dtype];
  }

  // A register of the program that is being built, before their numbers are known.
  struct Register {
    enum Kind : uint8_t { NONE, INPUT, OUTPUT, SCALAR, CONSTANT, TEMPORARY } kind = NONE;
    int index = 0;
  };
  struct Draft {
    std::vector<Register> args;      // of all steps, one after the other
    std::vector<int> inputs, outputs;  // views
    std::vector<Register> held;      // of each view: where its newest value is
    std::vector<int> output_of;      // of each view: its output, or -1
  };

  void build(PointwiseOp& fused, Var* const* unreachable, int n) const {
    Program* program = fused.program = new Program;
    Draft draft;
    draft.held.resize(views_.size());
    draft.output_of.assign(views_.size(), -1);
    for (size_t part = 0; part < ops_.size(); ++part)
      append(*program, draft, fused.scalars, int(part), unreachable, n);
    program->n_inputs = int(draft.inputs.size());
    program->n_outputs = int(draft.outputs.size());
    program->n_scalars = int(fused.scalars.size());
    program->n_constants = int(program->constants.size());
    program->n_temporaries = int(program->temporary_itemsizes.size());
    assign_slots(*program, draft);
    number(*program, draft);
    place(fused, draft);
  }

  void append(Program& program, Draft& draft, std::vector<Cell>& scalars, int part, Var* const* unreachable,
              int n) const {
    const PointwiseOp& op = *ops_[part];
    const Program& own = *op.program;
    const std::vector<int>& views = views_of_[part];
    const int first_scalar = int(scalars.size()), first_constant = int(program.constants.size());
    scalars.insert(scalars.end(), op.scalars.begin(), op.scalars.end());
    program.constants.insert(program.constants.end(), own.constants.begin(), own.constants.end());
    std::vector<Register> registers(own.n_registers());
    for (int k = 0; k < own.n_inputs; ++k)
      if (views[k] != UNREAD) registers[k] = value_of(draft, views[k]);
    for (int k = own.n_inputs; k < own.first_scalar(); ++k) {
      const bool read = std::find(unreachable, unreachable + n, op.operands[k].var) == unreachable + n;
      const bool stays = read || !is_dense(views_[views[k]]);
      registers[k] = stays ? output_for(draft, views[k]) : temporary(program, op.operands[k].itemsize());
    }
    for (int i = 0; i < own.n_scalars; ++i)
      registers[own.first_scalar() + i] = Register{Register::SCALAR, first_scalar + i};
    for (int i = 0; i < own.n_constants; ++i)
      registers[own.first_constant() + i] = Register{Register::CONSTANT, first_constant + i};
    for (int i = 0; i < own.n_temporaries; ++i)
      registers[own.first_temporary() + i] = temporary(program, own.temporary_itemsizes[i]);
    for (Step step : own.steps) {
      for (int i = 0; i < step.n_args; ++i) draft.args.push_back(registers[step.args[i]]);
      step.part = uint8_t(part);
      program.steps.push_back(step);
    }
    for (int k = own.n_inputs; k < own.first_scalar(); ++k) draft.held[views[k]] = registers[k];
    program.casts = program.casts || own.casts;
    program.cost_ns += own.cost_ns;
  }

  static Register value_of(Draft& draft, int view) {
    if (draft.held[view].kind == Register::NONE) {
      draft.held[view] = Register{Register::INPUT, int(draft.inputs.size())};
      draft.inputs.push_back(view);
    }
    return draft.held[view];
  }

  static Register output_for(Draft& draft, int view) {
    if (draft.output_of[view] < 0) {
      draft.output_of[view] = int(draft.outputs.size());
      draft.outputs.push_back(view);
    }
    return Register{Register::OUTPUT, draft.output_of[view]};
  }

  static Register temporary(Program& program, int itemsize) {
    program.temporary_itemsizes.push_back(uint8_t(itemsize));
    return Register{Register::TEMPORARY, int(program.temporary_itemsizes.size()) - 1};
  }

  // A buffer serves from the first to the last step that names one of its temporaries.
  static void assign_slots(Program& program, const Draft& draft) {
    std::vector<int> last(program.n_temporaries, -1), free;
    auto each = [&](auto&& visit) {
      size_t at = 0;
      for (int s = 0; s < int(program.steps.size()); ++s)
        for (int i = 0; i < program.steps[s].n_args; ++i, ++at)
          if (draft.args[at].kind == Register::TEMPORARY) visit(draft.args[at].index, s);
    };
    each([&](int t, int step) { last[t] = step; });
    program.slots.assign(program.n_temporaries, -1);
    std::vector<int> ending;  // temporaries whose last step is the one at hand
    int now = 0;
    each([&](int t, int step) {
      if (step != now) {
        for (int ended : ending) free.push_back(program.slots[ended]);
        ending.clear();
        now = step;
      }
      if (program.slots[t] < 0) {
        if (free.empty()) free.push_back(program.n_slots++);
        program.slots[t] = free.back();
        free.pop_back();
      }
      if (last[t] == step && std::find(ending.begin(), ending.end(), t) == ending.end()) ending.push_back(t);
    });
    for (int& slot : program.slots) slot = std::max(slot, 0);  // of temporaries that no step names
    for (uint8_t itemsize : program.temporary_itemsizes)
      program.slot_itemsize = std::max<int>(program.slot_itemsize, itemsize);
  }

  static void number(Program& program, const Draft& draft) {
    const int first[] = {0, 0, program.n_inputs, program.first_scalar(), program.first_constant(),
                         program.first_temporary()};
    size_t at = 0;
    for (Step& step : program.steps)
      for (int i = 0; i < step.n_args; ++i, ++at)
        step.args[i] = uint16_t(first[draft.args[at].kind] + draft.args[at].index);
  }

  // Operands and space of the operation: inputs, then outputs.
  void place(PointwiseOp& fused, const Draft& draft) const {
    fused.name = ops_[0]->name;
    fused.runtime = ops_[0]->runtime;
    const int ndim = int(shape_.size());
    std::vector<int64_t> strides;
    for (const std::vector<int>* side : {&draft.inputs, &draft.outputs})
      for (int at : *side) {
        const View& view = views_[at];
        fused.add(view.var, view.offset, view.dtype);
        for (int d = 0; d < ndim; ++d) strides.push_back(view.strides[d]);
      }
    fused.space = Space(ndim, int(fused.operands.size()), shape_.data(), strides.data());
    fused.space.merge_axes();
  }
};

inline Fusion* PointwiseOp::fusion() noexcept {
  auto* made = new (std::nothrow) PointwiseFusion;
  if (made && made->add(this)) return made;
  delete made;
  return nullptr;
}

}  // namespace mxcy
